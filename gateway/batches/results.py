"""The results of a batch that has ended, as one document of lines: how long it is, and its bytes from any place on.

Nothing of it changes any more, so that a reader may come back for the rest. It is read in pages of rows, none of which
holds a connection while its reader takes its time.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import LiteralString

import msgspec

from gateway.batches.store import BatchStore, Connection, Row

PAGE_BYTES = 256 * 1024
PAGE_ROWS = 1_000

_SIZE: LiteralString = """
SELECT coalesce(sum(octet_length(result) + 1), 0)::bigint AS size FROM message_batch_item WHERE batch_id = %s
"""
# The line that a byte stands in, and where it begins. Lengths are read without the lines themselves.
_PLACE: LiteralString = """
SELECT number, begins FROM (
    SELECT number, sum(octet_length(result) + 1) OVER (ORDER BY number) - octet_length(result) - 1 AS begins
      FROM message_batch_item WHERE batch_id = %s) AS lines
 WHERE begins <= %s ORDER BY number DESC LIMIT 1
"""
# By an array and not by a join: of a batch that came since it analyzed the table PostgreSQL expects a row or two, and
# would sum up the page anew for each of its lines.
_PAGE: LiteralString = """
SELECT number, result FROM message_batch_item
 WHERE batch_id = %(batch)s AND number = ANY(ARRAY(
    SELECT number FROM (
        SELECT number, sum(size) OVER (ORDER BY number) - size AS before FROM (
            SELECT number, octet_length(result) AS size FROM message_batch_item
             WHERE batch_id = %(batch)s AND number >= %(number)s ORDER BY number LIMIT %(rows)s) AS next) AS summed
     WHERE before < %(bytes)s))
 ORDER BY number
"""


class Span(msgspec.Struct, frozen=True):
    """Bytes of a document, from `start` up to and without `end`."""

    start: int
    end: int

    @property
    def length(self) -> int:
        return self.end - self.start


async def size(connection: Connection, batch_id: str) -> int:
    """Bytes of the whole document."""
    row = await (await connection.execute(_SIZE, [batch_id])).fetchone()
    assert row is not None
    return int(row["size"])


async def read(store: BatchStore, batch_id: str, span: Span) -> AsyncIterator[bytes]:
    """The bytes of the span in pieces. Ends early where the batch is deleted meanwhile; raises `StoreUnavailable`."""
    left, most = span.length, PAGE_ROWS
    number, skip = await _place(store, batch_id, span.start)
    while left > 0:
        page = await _page(store, batch_id, number, most)
        if not page:
            return
        # Where lines are long there is no use in looking at many that do not fit.
        number, most = page[-1]["number"] + 1, min(PAGE_ROWS, 2 * len(page) + 10)
        lines = b"".join([part for row in page for part in (row["result"], b"\n")])
        piece = lines[skip : skip + left]
        skip, left = 0, left - len(piece)
        yield piece


async def _place(store: BatchStore, batch_id: str, offset: int) -> tuple[int, int]:
    """The number of the line that a byte stands in, and how far from its beginning."""
    if not offset:
        return 0, 0
    async with store.connection() as connection:
        row = await (await connection.execute(_PLACE, [batch_id, offset])).fetchone()
    return (0, 0) if row is None else (row["number"], offset - int(row["begins"]))


async def _page(store: BatchStore, batch_id: str, number: int, most: int) -> list[Row]:
    """Lines from that number on."""
    given = {"batch": batch_id, "number": number, "rows": most, "bytes": PAGE_BYTES}
    async with store.connection() as connection:
        return await (await connection.execute(_PAGE, given, binary=True)).fetchall()
