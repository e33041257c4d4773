"""The arguments of a tool call, which a provider sends as JSON in a string, as a JSON object."""

from __future__ import annotations

import json
from typing import NoReturn

import msgspec

_MAX_DEPTH = 64
_CLOSING = {"{": "}", "[": "]"}
# A number or a word at the end may be half of one; after these a value is surely whole.
_WHOLE_VALUE = ('"', "}", "]", "true", "false", "null")


class BrokenArguments(Exception):
    """The arguments are no JSON object and cannot safely be made one."""


def input_from_arguments(arguments: str) -> msgspec.Raw:
    """The object as JSON; nothing at all is an empty one.

    Repaired are raw control characters in strings, an object that was encoded twice, and closing brackets
    that are missing after a whole value. A value cut in its middle is never closed: half of a shell command is
    another command. Raises `BrokenArguments`.
    """
    text = arguments.strip()
    if text in ("", "null"):
        return msgspec.Raw(b"{}")
    value = _parsed(text)
    if isinstance(value, str):
        value = _parsed(value)
    if not isinstance(value, dict):
        raise BrokenArguments(f"the arguments of a tool call are not a JSON object: {text[:100]!r}")
    return msgspec.Raw(msgspec.json.encode(value))


def _parsed(text: str) -> object:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return _repaired(text)


def _repaired(text: str) -> object:
    closing = _missing_brackets(text)
    try:
        value = json.loads(text + closing, strict=False, parse_constant=_no_constant)
        # Neither a lone surrogate nor an infinite number could be sent on.
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        raise BrokenArguments(f"the arguments of a tool call are not JSON: {text[:100]!r}") from None
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _missing_brackets(text: str) -> str:
    """What closes the brackets left open at the end, or nothing where the end may be half a value."""
    stack: list[str] = []
    in_string = escaped = False
    for character in text:
        if in_string:
            in_string = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            in_string = True
        elif character in _CLOSING:
            stack.append(_CLOSING[character])
        elif character in "}]" and stack:
            stack.pop()
    if in_string or len(stack) > _MAX_DEPTH or not text.endswith(_WHOLE_VALUE):
        return ""
    return "".join(reversed(stack))
