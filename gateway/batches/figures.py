"""How much there is to do, over all organizations: for `/metrics`."""

from __future__ import annotations

import time
from typing import LiteralString

import msgspec

from gateway.batches.store import BatchStore, Row
from gateway.batches.tally import NAMES

FRESH_SECONDS = 5.0  # that figures are told again, however often one asks

_FIGURES: LiteralString = """
SELECT count(*) FILTER (WHERE status = 'in_progress') AS in_progress,
       count(*) FILTER (WHERE status = 'canceling') AS canceling,
       coalesce(sum(total), 0)::bigint AS total, coalesce(sum(succeeded), 0)::bigint AS succeeded,
       coalesce(sum(errored), 0)::bigint AS errored, coalesce(sum(canceled), 0)::bigint AS canceled,
       coalesce(sum(expired), 0)::bigint AS expired,
       (SELECT count(*) FROM message_batch_item WHERE state = 1) AS running,
       (SELECT row_to_json(t) FROM message_batch_tally t) AS tally,
       coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8 AS oldest_seconds
  FROM message_batch WHERE status <> 'ended'
"""


class Figures(msgspec.Struct, frozen=True):
    """Of batches that have not ended: how many by status, their items by state, and the age of the oldest one.

    `tally` is what runners have ever done, by `tally.NAMES`.
    """

    batches: dict[str, int]
    items: dict[str, int]
    oldest_seconds: float
    tally: dict[str, int]


class FigureReader:
    """Of one process."""

    def __init__(self, store: BatchStore) -> None:
        self._store = store
        self._figures: Figures | None = None
        self._read_at = 0.0

    async def read(self) -> Figures:
        """Raises `StoreUnavailable`."""
        if self._figures is None or time.monotonic() - self._read_at > FRESH_SECONDS:
            async with self._store.connection() as connection:
                row = await (await connection.execute(_FIGURES)).fetchone()
            assert row is not None
            self._figures, self._read_at = _figures(row), time.monotonic()
        return self._figures


def _figures(row: Row) -> Figures:
    done = {state: int(row[state]) for state in ("succeeded", "errored", "canceled", "expired")}
    waiting = row["total"] - sum(done.values()) - row["running"]
    return Figures(
        {"in_progress": row["in_progress"], "canceling": row["canceling"]},
        {"waiting": max(0, waiting), "running": row["running"], **done},
        row["oldest_seconds"],
        {name: (row["tally"] or {}).get(name, 0) for name in NAMES},
    )
