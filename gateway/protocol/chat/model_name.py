"""The model's name in a provider's answer, replaced by the catalog's; every other byte stays."""

from __future__ import annotations

import re

_KEY = b'"model"'
_VALUE = re.compile(rb'[ \t\r\n]*:[ \t\r\n]*("[^"\\]*(?:\\.[^"\\]*)*"|null)', re.DOTALL)
_OTHER_BRACKETS = re.compile(rb"[\[\]}]")
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)


def with_model(answer: bytes, model: bytes) -> bytes:
    """A JSON object with its own `model` changed to `model` (JSON too), those of objects within it left."""
    pieces: list[bytes] = []
    copied = depth = seen = 0
    at = answer.find(_KEY)
    while at >= 0:
        value = _VALUE.match(answer, at + len(_KEY))
        # Inside a string every quote has a backslash before it.
        if value is not None and answer[at - 1] != 0x5C:
            depth, seen = depth + _depth(answer[seen:at]), at
            if depth == 1:
                pieces += answer[copied : value.start(1)], model
                copied = value.end(1)
        at = answer.find(_KEY, at + len(_KEY))
    return b"".join([*pieces, answer[copied:]]) if pieces else answer


def frame_with_model(frame: bytes, data: bytes, model: bytes) -> bytes:
    """The same for the frame of an event whose `data` is such an object."""
    renamed = with_model(data, model)
    if renamed is data:
        return frame
    start, found, end = frame.partition(data)
    if found:
        return start + renamed + end
    lines = (b"data: %b\n" % line for line in renamed.split(b"\n"))  # it stood in several lines of data
    return b"".join(lines) + b"\n"


def _depth(json: bytes) -> int:
    """How many more brackets are opened than closed."""
    if json.count(b"{") == 1 and json.startswith(b"{") and not _OTHER_BRACKETS.search(json):
        return 1  # the usual beginning of a chunk
    outside = _STRING.sub(b"", json)
    opened = outside.count(b"{") + outside.count(b"[")
    return opened - outside.count(b"}") - outside.count(b"]")
