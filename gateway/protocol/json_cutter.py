"""Where a JSON value ends whose bytes come in pieces of any size, found at the speed of a regular expression.

Only strings and brackets are looked at, and all brackets are alike: what is cut out here is decoded by somebody who
refuses what is no JSON.
"""

from __future__ import annotations

import enum
import re

_PLAIN = rb'[^"{}\[\]]*+'
_STRING_BODY = rb'[^"\\]*+(?:\\.[^"\\]*+)*+'


def _content(levels: int, or_end: bytes) -> bytes:
    """All that may stand between brackets: strings, plain characters, and whole lists and objects of some levels.

    `or_end` is what may stand for the end of each where there is no more.
    """
    string = b'"' + _STRING_BODY + b'(?:"' + (or_end and rb"|\\?+" + or_end) + b")"
    bracket = rb"(?:[}\]]" + (or_end and b"|" + or_end) + b")"
    nested = rb"|[{\[]" + _content(levels - 1, or_end) + bracket if levels else b""
    return _PLAIN + b"(?:(?:" + string + nested + b")" + _PLAIN + b")*+"


# A whole value of so many levels, or what there is of it, in one look: some ten times faster than a step for each
# bracket. A request of a batch has four and more.
_WHOLE = re.compile(rb"[{\[]" + _content(6, rb"\Z") + rb"[}\]]", re.DOTALL)
# Without an end that is left out, to know the depth: where a piece ends, the last string or list is looked at twice.
_CONTENT = re.compile(_content(1, b""), re.DOTALL)
_STRING_REST = re.compile(_STRING_BODY, re.DOTALL)
_SCALAR_REST = re.compile(rb"[^,\]} \t\n\r]*+")

_QUOTE = ord('"')
_OPENING = b"{["


class _Within(enum.Enum):
    NOTHING = enum.auto()
    SCALAR = enum.auto()
    STRING = enum.auto()
    BRACKETS = enum.auto()


class ValueCutter:
    """Of one value: `end` is called with one piece after another until it answers where the value is over.

    `depth` is how many brackets are open.
    """

    __slots__ = ("_escaping", "_within", "depth")

    def __init__(self) -> None:
        self.depth = 0
        self._within = _Within.NOTHING
        self._escaping = False  # the last piece ended in a backslash, which escapes what comes

    def end(self, data: bytes, start: int) -> int:
        """The position after the value, or -1 when all of `data` from `start` belongs to it. What is neither string
        nor list nor object goes on to the next comma, bracket or space."""
        position = start
        if self._within is _Within.NOTHING:
            whole = _WHOLE.match(data, start)
            if whole is not None and whole.end() < len(data):
                return whole.end()
            position = self._begun(data[start], start)
        if self._within is _Within.SCALAR:
            position = _SCALAR_REST.match(data, position).end()  # type: ignore[union-attr] # it matches anything
            return position if position < len(data) else -1
        while position >= 0:
            if self._within is _Within.STRING:
                position = self._after_string(data, position)
            else:
                position = self._after_brackets(data, position)
            if self.depth == 0 and self._within is _Within.BRACKETS:
                return position
        return -1

    def _begun(self, first: int, position: int) -> int:
        if first in _OPENING:
            self.depth = 1
            self._within = _Within.BRACKETS
        else:
            self._within = _Within.STRING if first == _QUOTE else _Within.SCALAR
        return position if self._within is _Within.SCALAR else position + 1

    def _after_string(self, data: bytes, position: int) -> int:
        """Behind the quote that ends the string, or -1."""
        if self._escaping and position < len(data):
            self._escaping = False
            position += 1
        position = _STRING_REST.match(data, position).end()  # type: ignore[union-attr]
        if position < len(data) and data[position] == _QUOTE:
            self._within = _Within.BRACKETS
            return position + 1
        self._escaping = self._escaping or position < len(data)
        return -1

    def _after_brackets(self, data: bytes, position: int) -> int:
        """Behind the last bracket, or within a string that does not end here, or -1."""
        while True:
            position = _CONTENT.match(data, position).end()  # type: ignore[union-attr]
            if position == len(data):
                return -1
            byte, position = data[position], position + 1
            if byte == _QUOTE:
                self._within = _Within.STRING
                return position
            self.depth += 1 if byte in _OPENING else -1
            if self.depth == 0:
                return position
