"""The query of a list that is walked by the ids of what it holds, newest first, in both directions."""

from __future__ import annotations

from urllib.parse import parse_qs

import msgspec

from gateway.errors import InvalidRequest

LARGEST_PAGE = 1000
DEFAULT_PAGE = 20


class PageQuery(msgspec.Struct, frozen=True):
    """At most one of the cursors is given."""

    limit: int
    after_id: str
    before_id: str


def page_query(raw: bytes) -> PageQuery:
    """Raises `InvalidRequest` naming the parameter."""
    query = parse_qs(raw.decode("latin-1"), keep_blank_values=True)
    limit = _limit(query)
    after_id, before_id = query.get("after_id", [""])[-1], query.get("before_id", [""])[-1]
    if after_id and before_id:
        raise InvalidRequest("after_id: cannot be combined with before_id")
    return PageQuery(limit, after_id, before_id)


def _limit(query: dict[str, list[str]]) -> int:
    text = query.get("limit", [str(DEFAULT_PAGE)])[-1]
    if not text.isascii() or not text.isdigit():
        raise InvalidRequest("limit: Input should be a valid integer")
    limit = int(text[:10])
    if not 1 <= limit <= LARGEST_PAGE:
        raise InvalidRequest(f"limit: Input should be between 1 and {LARGEST_PAGE}")
    return limit
