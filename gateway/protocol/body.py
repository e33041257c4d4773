"""A JSON request body, guarded once at the door and then carried as the bytes it came in.

What is checked here and what the provider reads must be one and the same document, so everything that two
parsers could read differently is refused: invalid UTF-8, NaN, lone surrogates, NUL, repeated top-level
keys, and nesting that is a denial of service rather than a message.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from typing import NoReturn

import msgspec

from gateway.errors import InvalidRequest

MAX_DEPTH = 64

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_string = msgspec.json.Decoder(str)

_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_SPACE = re.compile(rb"[ \t\n\r]*")
_AFTER_BACKSLASHES = re.compile(rb"\\*[^\\]?")
# Brackets as steps down and up, as signed bytes. Object brackets count as array brackets: where they do not
# pair, the decoder refuses the body anyway.
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
# Large bodies are parsed in a thread; no single call there should keep the interpreter lock for long.
_SLICE = 128 * 1024


class Body:
    """A guarded JSON object: `raw` as received, `fields` by top-level key as undecoded JSON values."""

    __slots__ = ("_spans", "fields", "raw")

    def __init__(self, raw: bytes, fields: dict[str, msgspec.Raw], spans: dict[str, tuple[int, int]]) -> None:
        self.raw = raw
        self.fields = fields
        self._spans = spans

    def with_string(self, key: str, value: str) -> bytes:
        """The same bytes with only the top-level string `key` replaced."""
        start, end = self._spans[key]
        encoded = msgspec.json.encode(value)
        if self.raw[start:end] == encoded:
            return self.raw
        whole = memoryview(self.raw)
        return b"".join((whole[:start], encoded, whole[end:]))  # one copy: a body may have 32 MB

    def with_values(self, values: Mapping[str, bytes]) -> bytes:
        """The same bytes with some top-level values, each JSON, replaced; a new key comes first."""
        whole, position = memoryview(self.raw), self.raw.index(b"{") + 1
        new = [
            msgspec.json.encode(key) + b":" + value for key, value in values.items() if key not in self._spans
        ]
        pieces: list[bytes | memoryview] = [
            whole[:position],
            b",".join(new),
            b"," if new and self._spans else b"",
        ]
        for key, (start, end) in self._spans.items():  # in the order in which they stand there
            if key in values:
                pieces += whole[position:start], values[key]
                position = end
        return b"".join([*pieces, whole[position:]])


class HoldsNul(InvalidRequest):
    """Everything else about the body is right but for repeated keys."""


def parse(raw: bytes) -> Body:
    """Guard `raw` and split it into its top-level fields; raises `InvalidRequest` with the reason."""
    if not raw.isascii():
        _check_utf8(raw)
    if nests_deeper(raw, MAX_DEPTH):
        _refuse(f"The request body is nested more than {MAX_DEPTH} levels deep.")
    try:
        fields = _fields.decode(raw)
    except msgspec.ValidationError:
        _refuse("The request body must be a JSON object.")
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as problem:
        _refuse(f"The request body is not valid JSON: {reason(raw, problem)}")
    if _holds_nul(raw):
        raise HoldsNul("The request body holds a NUL character (\\u0000).")
    return Body(raw, fields, spans(raw, fields))


def reason(raw: bytes | bytearray, problem: Exception) -> str:
    """The decoder's words, where they say what is wrong."""
    if not raw:
        return "it is empty"
    if _SURROGATE.search(raw):
        return "it holds a lone surrogate or another broken escape"
    return str(problem).removeprefix("JSON is malformed: ") or "nested too deeply"


def _refuse(message: str) -> NoReturn:
    raise InvalidRequest(message)


def _check_utf8(raw: bytes) -> None:
    try:
        raw.decode()
    except UnicodeDecodeError as problem:
        _refuse(f"The request body is not valid UTF-8 (byte {problem.start}).")


def nests_deeper(raw: bytes | bytearray, most: int) -> bool:
    """Whether brackets nest more than `most` levels deep, found without recursion.

    Few brackets cannot nest deeply, which settles nearly every request in a microsecond.
    """
    if raw.count(b"[") + raw.count(b"{") <= most:
        return False
    depth = 0
    for steps in _steps(raw):
        down = steps.count(1)
        if depth + down > most and _deepest(steps, depth) > most:
            return True
        depth += 2 * down - len(steps)
    return False


def _deepest(steps: bytes, depth: int) -> int:
    return max(itertools.accumulate(memoryview(steps).cast("b"), initial=depth))


def _steps(raw: bytes | bytearray) -> Iterator[bytes]:
    """The brackets outside strings, slice by slice: without escapes, every quote opens or closes a string."""
    inside = 0
    for part in _slices(raw):
        parts = part.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')
        yield b"".join(parts[inside::2]).translate(_STEPS, _NOT_BRACKETS)
        inside ^= (len(parts) - 1) & 1


def _slices(raw: bytes | bytearray) -> Iterator[bytes | bytearray]:
    """`raw` in slices that no escaped quote and no escaped backslash falls between."""
    start = 0
    while start < len(raw):
        end = start + _SLICE
        if raw[end - 1 : end] == b"\\":
            end = _AFTER_BACKSLASHES.match(raw, end).end()  # type: ignore[union-attr] # it matches anything
        yield raw[start:end]
        start = end


def _holds_nul(raw: bytes) -> bool:
    """Whether a `\\u0000` stands there whose backslash is not itself escaped."""
    start = 0
    while (found := raw.find(b"\\u0000", start)) >= 0:
        before = raw[start:found]
        if (len(before) - len(before.rstrip(b"\\"))) % 2 == 0:
            return True
        start = found + len(b"\\u0000")
    return False


def spans(raw: bytes | bytearray, fields: dict[str, msgspec.Raw]) -> dict[str, tuple[int, int]]:
    """Where each value stands in `raw`, found by walking the top level.

    The decoder keeps the last of repeated keys; then this walk meets a key it does not expect.
    """
    spans = {}
    position = _skip(raw, raw.index(b"{") + 1)
    for name, value in fields.items():
        key = b'"%b":' % name.encode()
        if name.isidentifier() and raw.startswith(key, position):  # no quote in it, no escape
            start = _skip(raw, position + len(key))
        else:
            start = _after_key(raw, position, name, fields)
        value_bytes = bytes(value)  # comparing with a view goes item by item
        if not raw.startswith(value_bytes, start):
            _refuse(f"{name}: repeated key")
        end = start + len(value_bytes)
        spans[name] = start, end
        position = _skip(raw, end)
        if raw[position] == 0x2C:  # a comma
            position = _skip(raw, position + 1)
    if raw[position] != 0x7D:  # the closing brace
        _refuse_repeated(raw, position, fields)
    return spans


def _after_key(raw: bytes | bytearray, position: int, name: str, fields: dict[str, msgspec.Raw]) -> int:
    """Where the value of the key that stands here begins, if it is this key, however it is spelled."""
    key = _STRING.match(raw, position)
    if key is None or _string.decode(key[0]) != name:
        _refuse_repeated(raw, position, fields)
    return _skip(raw, _skip(raw, key.end()) + 1)


def _skip(raw: bytes | bytearray, position: int) -> int:
    """Past white space, of which there is seldom more than one blank."""
    if raw[position] == 0x20:
        position += 1
    return position if raw[position] > 0x20 else _SPACE.match(raw, position).end()  # type: ignore[union-attr]


def _refuse_repeated(raw: bytes | bytearray, position: int, fields: dict[str, msgspec.Raw]) -> NoReturn:
    key = _STRING.match(raw, position)
    name = _string.decode(key[0]) if key else next(iter(fields), "")
    _refuse(f"{name[:100]}: repeated key")
