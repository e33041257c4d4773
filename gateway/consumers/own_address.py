"""The gateway's address as the caller of a request knows it, for URLs in answers: what it reached, it reaches again."""

from __future__ import annotations

from urllib.parse import urlsplit

from gateway.configuration import Configuration
from gateway.consumers.headers import Headers

_SCHEMES = (b"http", b"https")


def own_address(headers: Headers, configuration: Configuration) -> str:
    """Without a slash at the end. The host was checked to be one of ours; the public one keeps its scheme and path.

    Clients inside a network often use another name than the public one, which they may not reach. A header that lies
    about the scheme spoils nobody's answer but its sender's.
    """
    host = headers.get(b"host", b"").decode("latin-1")
    if host.lower() == urlsplit(configuration.base_url).netloc.lower():
        return configuration.base_url
    told = headers.get(b"x-forwarded-proto", b"").lower()
    return f"{told.decode() if told in _SCHEMES else 'http'}://{host}"
