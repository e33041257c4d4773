"""The single requests of a message batch, as those see them who see the batch: in pages by number, or as lines."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import LiteralString

from django.db import connection

from gateway.batch_states import ItemState
from gateway.models import BatchItem, MessageBatch

# What an item can be looked for as; those without a result are one thing to people.
STATES: Mapping[str, tuple[ItemState, ...]] = {
    "processing": (ItemState.PENDING, ItemState.RUNNING, ItemState.FORWARDED),
    "succeeded": (ItemState.SUCCEEDED,),
    "errored": (ItemState.ERRORED,),
    "canceled": (ItemState.CANCELED,),
    "expired": (ItemState.EXPIRED,),
}
LARGEST_SHOWN = 64 * 1024  # bytes of a result that a page of a list reads
PAGE_BYTES = 256 * 1024  # of a download
PAGE_ROWS = 1_000


@dataclasses.dataclass(frozen=True)
class Item:
    """`result` is its line of results, None where there is none or it is too long for a list; `size` in bytes."""

    number: int
    custom_id: str
    state: str
    tries: int
    size: int
    result: bytes | None


@dataclasses.dataclass(frozen=True)
class ItemPage:
    """`next` is the number that the next page begins behind, None on the last one."""

    rows: list[Item]
    next: int | None


_PAGE: LiteralString = """
SELECT number, custom_id, state, tries, coalesce(octet_length(result), 0),
       CASE WHEN octet_length(result) <= %(largest)s THEN result END
  FROM message_batch_item
 WHERE batch_id = %(batch)s AND number > %(after)s AND state = ANY(%(states)s)
   AND (%(custom_id)s = '' OR custom_id = %(custom_id)s)
 ORDER BY number LIMIT %(limit)s
"""

# As many lines as make up a piece, at least one; lengths are read without the lines themselves.
_LINES: LiteralString = """
SELECT number, result FROM message_batch_item
 WHERE batch_id = %(batch)s AND number IN (
    SELECT number FROM (
        SELECT number, sum(size) OVER (ORDER BY number) - size AS before FROM (
            SELECT number, octet_length(result) AS size FROM message_batch_item
             WHERE batch_id = %(batch)s AND number > %(after)s AND state = ANY(%(states)s)
             ORDER BY number LIMIT %(rows)s) AS next) AS summed
     WHERE before < %(bytes)s)
 ORDER BY number
"""


def batch_items(
    batch: MessageBatch, *, state: str = "", custom_id: str = "", after: int = -1, limit: int
) -> ItemPage:
    """In the order of the batch; of all states, or of one of `STATES`. One query."""
    given = {
        "batch": batch.id,
        "states": numbers_of([state] if state else STATES),
        "custom_id": custom_id,
        "after": after,
        "largest": LARGEST_SHOWN,
        "limit": limit + 1,
    }
    with connection.cursor() as cursor:
        cursor.execute(_PAGE, given)
        rows = [_item(*row) for row in cursor.fetchall()]
    return ItemPage(rows[:limit], rows[limit - 1].number if len(rows) > limit else None)


def batch_item(batch: MessageBatch, number: int) -> BatchItem | None:
    """Whole, with its request and its result."""
    return BatchItem.objects.filter(batch=batch, number=number).first()


def result_lines(batch_id: str, after: int, states: Collection[str]) -> tuple[int, bytes] | None:
    """The next lines behind that number, and the number of the last of them; None where there are no more."""
    given = {
        "batch": batch_id,
        "after": after,
        "states": numbers_of(states),
        "rows": PAGE_ROWS,
        "bytes": PAGE_BYTES,
    }
    with connection.cursor() as cursor:
        cursor.execute(_LINES, given)
        rows = cursor.fetchall()
    if not rows:
        return None
    return rows[-1][0], b"".join(part for _, result in rows for part in (bytes(result), b"\n"))


def numbers_of(states: Collection[str]) -> list[int]:
    return [int(number) for state in states for number in STATES[state]]


def _item(number: int, custom_id: str, state: int, tries: int, size: int, result: bytes | None) -> Item:
    name = next(name for name, states in STATES.items() if state in states)
    return Item(number, custom_id, name, tries, size, None if result is None else bytes(result))
