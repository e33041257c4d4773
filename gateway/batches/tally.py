"""What runners have done, for `/metrics`: counted here, and added to the one row of all runners every few seconds.

Only web processes are asked for figures, and a runner ends when nothing is left to do. One that is killed takes the
last seconds' counts with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import LiteralString

from gateway.batch_states import FINAL, ItemState
from gateway.batches.queue import Outcome
from gateway.batches.store import BatchStore

NAMES = ("sent", "finished", "requeued", "refused")

_ADD: LiteralString = """
INSERT INTO message_batch_tally AS t (id, sent, finished, requeued, refused)
VALUES (1, %(sent)s, %(finished)s, %(requeued)s, %(refused)s)
ON CONFLICT (id) DO UPDATE SET sent = t.sent + excluded.sent, finished = t.finished + excluded.finished,
                               requeued = t.requeued + excluded.requeued, refused = t.refused + excluded.refused
"""


class Tally:
    """Of one runner, since it was last added up."""

    def __init__(self) -> None:
        self._counts = dict.fromkeys(NAMES, 0)

    def sent(self) -> None:
        """An item was answered, or it failed."""
        self._counts["sent"] += 1

    def refused(self) -> None:
        """A provider wants less for now."""
        self._counts["refused"] += 1

    def stored(self, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            if outcome.state in FINAL:
                self._counts["finished"] += 1
            elif outcome.state == ItemState.PENDING and not outcome.unsent:
                self._counts["requeued"] += 1

    async def add(self, store: BatchStore) -> None:
        """Raises `StoreUnavailable`; the counts are kept then."""
        counts, self._counts = self._counts, dict.fromkeys(NAMES, 0)
        if not any(counts.values()):
            return
        try:
            async with store.connection() as connection:
                await connection.execute(_ADD, counts)
        except BaseException:
            for name, count in counts.items():
                self._counts[name] += count
            raise
