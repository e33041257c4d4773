"""The part of a document that a request wants (RFC 9110, section 14): one range of bytes, or all of it."""

from __future__ import annotations

import re

from gateway.batches.results import Span

_RANGE = re.compile(rb"bytes=[ \t]*([0-9]{0,18})-([0-9]{0,18})[ \t]*", re.IGNORECASE)


class NotSatisfiable(Exception):
    """No byte of the document is in the range."""


def wanted_span(asked: bytes | None, size: int) -> Span | None:
    """None for the whole document, also where the header cannot be read or names several ranges.

    Raises `NotSatisfiable`.
    """
    match = None if asked is None else _RANGE.fullmatch(asked)
    if match is None or match[1] == match[2] == b"":
        return None
    first, last = match[1], match[2]
    if not first:  # the last bytes
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), size if not last else min(size, int(last) + 1)
        if last and int(last) < start:
            return None
    if start >= end:
        raise NotSatisfiable
    return Span(start, end)
