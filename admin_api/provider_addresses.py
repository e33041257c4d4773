"""The addresses of providers. Operators may name private ones; nobody else names any."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

from gateway.protocol.vendors import VENDORS

# Of the vendors that are known, one has its endpoint at the root.
_KNOWN = frozenset(vendor.base_url for vendor in VENDORS.values())
_ENDPOINT = re.compile(r"/(v1/)?(messages|chat/completions)$")


def provider_address(text: str, dialect: str) -> str:
    """The address as it is stored, without a trailing slash. Raises ValueError saying what is expected.

    The endpoint is appended to it: `/v1/messages` for the anthropic dialect (a trailing `/v1` is
    taken off), `/chat/completions` for the openai dialect (whose addresses therefore end in `/v1` or alike).
    """
    address = text.rstrip("/")
    parts = _parts(address)
    if parts.username is not None or parts.password is not None:
        raise ValueError("expected an address without a user name or password; use api_key")
    if parts.query or parts.fragment or "?" in address or "#" in address:
        raise ValueError("expected an address without ? and #")
    if _ENDPOINT.search(parts.path):
        raise ValueError("expected the provider's base address, without the endpoint at its end")
    if dialect == "anthropic":
        return address.removesuffix("/v1")
    if dialect == "openai" and not parts.path and address not in _KNOWN:
        raise ValueError(f"expected an address that ends in /v1, such as {address}/v1")
    return address


def _parts(address: str) -> SplitResult:
    expected = ValueError("expected an http:// or https:// address")
    if not address.isascii() or not address.isprintable() or " " in address or "\\" in address:
        raise expected
    try:
        parts = urlsplit(address)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise expected from None
    if not usable:
        raise expected
    return parts
