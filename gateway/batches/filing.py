"""Results on their way to Postgres: many in one statement, and kept here for as long as it cannot take them."""

from __future__ import annotations

import time

import structlog

from gateway.batches import queue
from gateway.batches.queue import Outcome
from gateway.batches.runners import Presence
from gateway.batches.store import BatchStore
from gateway.directory.store import StoreUnavailable

log = structlog.get_logger(__name__)

AT_ONCE = 125  # what a killed runner had not stored is sent again
BYTES_AT_ONCE = 16 << 20
AFTER_SECONDS = 2.0
TRY_AGAIN_SECONDS = 0.5
PLENTY, PLENTY_BYTES = 1_000, 64 << 20  # with so much unstored nothing more should be sent


class Filing:
    """Of one runner. Not for use by two tasks at once."""

    def __init__(self, store: BatchStore, runner: Presence) -> None:
        self._store = store
        self._runner = runner
        self._outcomes: list[Outcome] = []
        self._bytes = 0
        self._due_at = 0.0
        self.failing = False  # whether it took the last ones is not known

    @property
    def waits(self) -> bool:
        return bool(self._outcomes)

    @property
    def full(self) -> bool:
        return len(self._outcomes) >= PLENTY or self._bytes >= PLENTY_BYTES

    def add(self, outcome: Outcome) -> None:
        if not self._outcomes:
            self._due_at = time.monotonic() + AFTER_SECONDS
        self._outcomes.append(outcome)
        self._bytes += len(outcome.line)

    @property
    def _worth_it(self) -> bool:
        return len(self._outcomes) >= AT_ONCE or self._bytes >= BYTES_AT_ONCE

    async def store(self, *, all_of_them: bool = False) -> None:
        """What is worth a statement now, or everything."""
        while self._outcomes and (all_of_them or self._worth_it or time.monotonic() >= self._due_at):
            if not await self._store_some():
                self._due_at = time.monotonic() + TRY_AGAIN_SECONDS
                return

    def _some(self) -> list[Outcome]:
        """The oldest: what one statement takes, and at least one."""
        bytes_, number = 0, 0
        for outcome in self._outcomes[:AT_ONCE]:
            bytes_ += len(outcome.line)
            if number and bytes_ > BYTES_AT_ONCE:
                break
            number += 1
        return self._outcomes[:number]

    async def _store_some(self) -> bool:
        some = self._some()
        try:
            async with self._store.connection() as connection:
                ended = await queue.store(connection, self._runner.id, some)
        except StoreUnavailable as problem:
            log.warning("batch_results_not_stored", waiting=len(self._outcomes), error=str(problem))
            self.failing = True
            return False
        self.failing = False
        self._runner.tally.stored(some)
        del self._outcomes[: len(some)]
        self._bytes -= sum(len(one.line) for one in some)
        for batch_id in ended:
            log.info("batch_ended", batch_id=batch_id)
        return True
