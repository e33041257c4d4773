"""Headers as they are kept with contents: what could open a door is left out, by its name or by its look."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

REMOVED = "[removed]"
_OF_SECRETS = re.compile(
    r"(.*-)?(authorization|(api-?)?key|cookie2?|credentials?|password|secret|signature|token)"
)
_OPEN = {"idempotency-key"}
_LIKE_SECRETS = re.compile(r"\bsk-|\b(bearer|basic) ", re.IGNORECASE)

Headers = list[tuple[str, str]]


class Both(msgspec.Struct, frozen=True):
    """The headers of a request, and those of its answer."""

    asked: Headers = []
    answered: Headers = []


_decoder = msgspec.json.Decoder(Both)


def encode(asked: Iterable[tuple[bytes, bytes]], answered: Iterable[tuple[bytes, bytes]]) -> bytes:
    return msgspec.json.encode(Both(_told(asked), _told(answered)))


def decode(kept: bytes) -> Both:
    return _decoder.decode(kept)


def _told(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """In their order, with lower-case names."""
    texts = ((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in headers)
    return [(name, REMOVED if _is_secret(name, value) else value) for name, value in texts]


def _is_secret(name: str, value: str) -> bool:
    if name in _OPEN:
        return False
    return bool(_OF_SECRETS.fullmatch(name) or _LIKE_SECRETS.search(value))
