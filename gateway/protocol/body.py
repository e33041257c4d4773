"""A JSON request body, guarded once at the door and then carried as the bytes it came in.

What is checked here and what the provider reads must be one and the same document, so everything that two
parsers could read differently is refused: invalid UTF-8, NaN, lone surrogates, NUL, repeated top-level
keys, and nesting that is a denial of service rather than a message.
"""

from __future__ import annotations

import re
from typing import NoReturn

import msgspec

from gateway.errors import InvalidRequest

MAX_DEPTH = 64

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_string = msgspec.json.Decoder(str)

_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_SPACE = re.compile(rb"[ \t\n\r]*")
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
# Object brackets count as array brackets: where they do not pair, the decoder refuses the body anyway.
_SQUARE = bytes.maketrans(b"{}", b"[]")
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
# Large bodies are parsed in a thread; no single call there should keep the interpreter lock for long.
_SLICE = 512 * 1024


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
        return self.raw if self.raw[start:end] == encoded else self.raw[:start] + encoded + self.raw[end:]


def parse(raw: bytes) -> Body:
    """Guard `raw` and split it into its top-level fields; raises `InvalidRequest` with the reason."""
    if not raw.isascii():
        _check_utf8(raw)
    _check_depth(raw)
    try:
        fields = _fields.decode(raw)
    except msgspec.ValidationError:
        _refuse("The request body must be a JSON object.")
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as problem:
        _refuse(f"The request body is not valid JSON: {_reason(problem)}")
    if b"\\u0000" in raw and _NUL.search(raw):
        _refuse("The request body holds a NUL character (\\u0000).")
    return Body(raw, fields, _spans(raw, fields))


def _reason(problem: Exception) -> str:
    return str(problem).removeprefix("JSON is malformed: ") or "nested too deeply"


def _refuse(message: str) -> NoReturn:
    raise InvalidRequest(message)


def _check_utf8(raw: bytes) -> None:
    try:
        raw.decode()
    except UnicodeDecodeError as problem:
        _refuse(f"The request body is not valid UTF-8 (byte {problem.start}).")


def _check_depth(raw: bytes) -> None:
    """Refuse nesting beyond `MAX_DEPTH` without recursion.

    Few brackets cannot nest deeply, which settles nearly every request in a microsecond. Otherwise innermost
    pairs are removed round by round: what is left after `MAX_DEPTH` rounds was nested deeper (or does not
    pair, which the decoder names better).
    """
    if raw.count(b"[") + raw.count(b"{") <= MAX_DEPTH:
        return
    brackets = _brackets(raw)
    for _ in range(MAX_DEPTH):
        if not brackets:
            return
        brackets = brackets.replace(b"[]", b"")
    if b"[" in brackets:
        _refuse(f"The request body is nested more than {MAX_DEPTH} levels deep.")


def _brackets(raw: bytes) -> bytes:
    """The brackets outside strings, all as square ones: without escapes, every quote opens or closes a string."""
    plain = raw.replace(b"\\\\", b"").replace(b'\\"', b"")
    inside = 0
    found = []
    for start in range(0, len(plain), _SLICE):
        parts = plain[start : start + _SLICE].split(b'"')
        found.append(b"".join(parts[inside::2]).translate(_SQUARE, _NOT_BRACKETS))
        inside ^= (len(parts) - 1) & 1
    return b"".join(found)


def _spans(raw: bytes, fields: dict[str, msgspec.Raw]) -> dict[str, tuple[int, int]]:
    """Where each value stands in `raw`, found by walking the top level.

    The decoder keeps the last of repeated keys; then this walk meets a key it does not expect.
    """
    spans = {}
    position = _skip(raw, raw.index(b"{") + 1)
    for name, value in fields.items():
        key = _STRING.match(raw, position)
        if key is None or _string.decode(key[0]) != name:
            _refuse_repeated(raw, position, fields)
        start = _skip(raw, _skip(raw, key.end()) + 1)
        value_bytes = memoryview(value)
        end = start + len(value_bytes)
        if raw[start:end] != value_bytes:
            _refuse(f"{name}: repeated key")
        spans[name] = start, end
        position = _skip(raw, end)
        if raw[position] == 0x2C:  # a comma
            position = _skip(raw, position + 1)
    if raw[position] != 0x7D:  # the closing brace
        _refuse_repeated(raw, position, fields)
    return spans


def _skip(raw: bytes, position: int) -> int:
    return position if raw[position] > 0x20 else _SPACE.match(raw, position).end()  # type: ignore[union-attr]


def _refuse_repeated(raw: bytes, position: int, fields: dict[str, msgspec.Raw]) -> NoReturn:
    key = _STRING.match(raw, position)
    name = _string.decode(key[0]) if key else next(iter(fields), "")
    _refuse(f"{name[:100]}: repeated key")
