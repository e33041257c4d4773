"""Request ids as people paste them: with spaces, quotes, or a line of a log around them."""

from __future__ import annotations

import re

_ID = re.compile(r"req_[0-9A-Za-z]+")
_AROUND = re.compile(r"[\s\"'`,;\0]+")
LONGEST = 64


def request_id_in(text: str) -> str:
    """The id in the text. Where it begins with one, that may be torn apart by spaces; what has none is taken whole."""
    whole = _AROUND.sub("", text)
    found = _ID.match(whole) or _ID.search(text)
    return (found.group() if found else whole)[:LONGEST]
