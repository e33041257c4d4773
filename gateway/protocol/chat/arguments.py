"""The arguments of a call in a conversation's history, JSON in a string, as a JSON object."""

from __future__ import annotations

import json

import msgspec

from gateway.errors import InvalidRequest

_object = msgspec.json.Decoder(dict[str, msgspec.Raw])


def input_from_arguments(arguments: str | dict[str, msgspec.Raw] | None, where: str) -> msgspec.Raw:
    """The object, its bytes kept; nothing at all is an empty one. Raises `InvalidRequest` naming `where`.

    Models write raw line ends into strings and encode objects twice, and clients send back what models wrote.
    """
    if isinstance(arguments, dict):
        return msgspec.Raw(msgspec.json.encode(arguments))
    text = (arguments or "").strip()
    if text in ("", "null"):
        return msgspec.Raw(b"{}")
    encoded = text.encode()
    if not _is_object(encoded):
        encoded = _repaired(text)
    if not _is_object(encoded):
        raise InvalidRequest(f"{where}: Input should be a JSON object in a string")
    return msgspec.Raw(encoded)


def _is_object(encoded: bytes) -> bool:
    try:
        _object.decode(encoded)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def _repaired(text: str) -> bytes:
    """The object with its control characters escaped, or taken out of the string that it was encoded into."""
    try:
        value = json.loads(text, strict=False)
        return value.encode() if isinstance(value, str) else msgspec.json.encode(value)
    except (ValueError, RecursionError, msgspec.MsgspecError):
        return b""
