"""A request's headers, checked once: no header that decides anything may come twice or lie about the host."""

from __future__ import annotations

import functools
import re

from gateway.errors import InvalidRequest

Headers = dict[bytes, bytes]

VERSIONS = (b"2023-06-01", b"2026-10-21")
DEFAULT_VERSION = VERSIONS[0]

_DECISIVE = {
    b"host",
    b"authorization",
    b"x-api-key",
    b"content-length",
    b"content-encoding",
    b"transfer-encoding",
    b"anthropic-version",
    b"anthropic-workspace-id",
    b"idempotency-key",
}
_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[a-zA-Z0-9._-]+)(?::[0-9]{1,5})?")
_NOT_RELAYED = {b"anthropic-workspace-id"}


def read(raw: list[tuple[bytes, bytes]]) -> Headers:
    """By lower-case name. Raises `InvalidRequest` for a decisive header that comes twice."""
    headers = dict(raw)
    if len(headers) != len(raw):
        seen: set[bytes] = set()
        for name, _ in raw:
            if name in seen and name in _DECISIVE:
                raise InvalidRequest(f"{name.decode()}: header sent twice")
            seen.add(name)
    return headers


def check_host(headers: Headers, allowed: tuple[str, ...]) -> None:
    """Raises `InvalidRequest` unless `host` is one of ours, as Django does for its own views."""
    host = headers.get(b"host", b"")
    if not _allowed_host(host, allowed):
        raise InvalidRequest("host: not a name of this gateway")


@functools.lru_cache(maxsize=256)
def _allowed_host(host: bytes, allowed: tuple[str, ...]) -> bool:
    match = _HOST.fullmatch(host.decode("latin-1"))
    if match is None:
        return False
    name = match[1].lower().rstrip(".")
    return any(
        pattern in ("*", name)
        or (pattern.startswith(".") and (name == pattern[1:] or name.endswith(pattern)))
        for pattern in allowed
    )


def version_of(headers: Headers) -> bytes:
    """The API version; none is read as 2023-06-01. Raises `InvalidRequest` for one that does not exist."""
    version = headers.get(b"anthropic-version", DEFAULT_VERSION)
    if version not in VERSIONS:
        shown = version[:40].decode("latin-1")
        raise InvalidRequest(f'anthropic-version: "{shown}" is not a valid version')
    return version


def relayed(raw: list[tuple[bytes, bytes]], version: bytes) -> tuple[tuple[bytes, bytes], ...]:
    """The `anthropic-*` headers as an open list, except the tenant's own choice of workspace."""
    kept = [
        (name, value) for name, value in raw if name.startswith(b"anthropic-") and name not in _NOT_RELAYED
    ]
    if not any(name == b"anthropic-version" for name, _ in kept):
        kept.append((b"anthropic-version", version))
    return tuple(kept)
