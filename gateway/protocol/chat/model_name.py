"""The model's name in a provider's answer, replaced by the catalog's; every other byte stays."""

from __future__ import annotations

import re

# Inside a string every quote has a backslash before it, so this finds keys only.
_MODEL = re.compile(rb'(?<!\\)"model"[ \t\r\n]*:[ \t\r\n]*(?P<value>"(?:[^"\\]|\\.)*"|null)', re.DOTALL)
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)


def with_model(answer: bytes, model: bytes) -> bytes:
    """A JSON object with its own `model` changed to `model` (JSON too), those of objects within it left."""
    pieces: list[bytes] = []
    copied = depth = seen = 0
    for found in _MODEL.finditer(answer):
        depth, seen = depth + _depth(answer[seen : found.start()]), found.start()
        if depth == 1:
            pieces += answer[copied : found.start("value")], model
            copied = found.end("value")
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
    outside = _STRING.sub(b"", json)
    opened = outside.count(b"{") + outside.count(b"[")
    return opened - outside.count(b"}") - outside.count(b"]")
