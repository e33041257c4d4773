"""JSON objects that come in pieces, and what would finish one that was cut off."""

from __future__ import annotations

import re
from typing import Any

import msgspec

_BRACKET_OR_QUOTE = re.compile(r'["{}\[\]]')
_IN_STRING = re.compile(r'(?:[^"\\\x00-\x1f]+|\\[^\x00-\x1f])*+')
_CLOSING = {"{": "}", "[": "]"}
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}

# A number at the end may be half of one; after these a value is surely whole.
_WHOLE_VALUE = ('"', "}", "]", "true", "false", "null")
# What may finish a value that was cut off in the middle, tried in this order before the closing brackets.
_ENDS = (
    *("", '"', '\\"', '":null', "null", ":null", "0"),
    *("rue", "ue", "e", "alse", "lse", "se", "ull", "ll", "l", '"":null'),
)

_object = msgspec.json.Decoder(dict[str, Any])  # all of it, so that a number out of every range is found too


def is_object(text: str) -> bool:
    try:
        _object.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def missing_end(text: str, brackets: str, *, cut_off: bool) -> str | None:
    """What is to follow `text` for it to be an object, None if nothing helps; `brackets` are those still open.

    Only brackets, and only after a whole value, unless the text is known to be `cut_off`: half a command is
    another command.
    """
    ends = _ENDS if cut_off else ("",) if text.rstrip().endswith(_WHOLE_VALUE) else ()
    return next((end + brackets for end in ends if is_object(text + end + brackets)), None)


class Nesting:
    """Where the text stands: inside a string, and within which brackets.

    Feed it all pieces in order. Each is looked at once, however many there are.
    """

    def __init__(self) -> None:
        self._open: list[str] = []
        self._in_string = False
        self._escaping = False
        self._begun = False

    @property
    def complete(self) -> bool:
        """Whether every bracket that was opened is closed, and one was."""
        return self._begun and not self._open and not self._in_string

    @property
    def missing(self) -> str:
        """The brackets that close what is open; what a string or a number still lacks is not in them."""
        return "".join(reversed(self._open))

    def feed(self, text: str) -> str:
        """The text; raw control characters inside strings, which JSON forbids, are escaped."""
        pieces, copied, at = [], 0, 0
        while at < len(text):
            if not self._in_string:
                at = self._outside(text, at)
                continue
            at = self._inside(text, at)
            if self._in_string and at < len(text) and text[at] < " ":
                pieces += [text[copied:at], _escape(text[at])]
                at = copied = at + 1
        return "".join([*pieces, text[copied:]]) if pieces else text

    def _outside(self, text: str, at: int) -> int:
        """To behind the next bracket or quote."""
        found = _BRACKET_OR_QUOTE.search(text, at)
        if found is None:
            return len(text)
        token = found[0]
        if token == '"':
            self._in_string = True
        elif token in _CLOSING:
            self._begun = True
            self._open.append(_CLOSING[token])
        elif self._open:
            self._open.pop()
        return found.end()

    def _inside(self, text: str, at: int) -> int:
        """To behind the string's end, to a control character, or to the end of the text."""
        if self._escaping:
            self._escaping = False
            at += 1
        at = _IN_STRING.match(text, at).end()  # type: ignore[union-attr] # it matches anything
        if at < len(text) and text[at] == '"':
            self._in_string = False
            return at + 1
        if at < len(text) and text[at] == "\\":
            self._escaping = at + 1 == len(text)
            return at + 1
        return at


def _escape(character: str) -> str:
    return _SHORT.get(character) or f"\\u{ord(character):04x}"
