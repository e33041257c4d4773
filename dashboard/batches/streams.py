"""Live progress of batches as server-sent events, for all who look on in this process at once (`onlookers`)."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence

import msgspec
from django.db import close_old_connections
from django.utils import timezone

from dashboard.batches.progress import Shown, shown
from dashboard.frame.onlookers import MOST, MOST_OF_ONE, Onlookers
from gateway.batches.progress import Counts, mean_rate
from gateway.models import MessageBatch

RATE_SECONDS = 30.0  # over which the rate is measured
LEAST_RATE_SECONDS = 4.0
LEAST_ITEMS = 3  # that should have come before it means something that none did

END = b"event: end\ndata: {}\n\n"

Read = Callable[[Sequence[str]], Awaitable[Iterable[MessageBatch]]]


async def read_batches(ids: Sequence[str]) -> Iterable[MessageBatch]:
    """Their rows as they are now. The connection is given back at once."""
    return await asyncio.to_thread(_rows, ids)


def _rows(ids: Sequence[str]) -> list[MessageBatch]:
    try:
        return list(MessageBatch.objects.filter(pk__in=ids))
    finally:
        close_old_connections()


class Watch:
    """One batch that somebody looks at. `event` is the newest one, b"" before the first; `over` that none follows.

    What nobody would see to have changed makes no event: a rate in its fourth digit, a second of hours.
    """

    def __init__(self) -> None:
        self.followers = 0
        self.event = b""
        self.over = False
        self._seen: tuple[Counts, dict[str, str]] | None = None
        self._samples: deque[tuple[float, int]] = deque()

    def see(self, batch: MessageBatch) -> None:
        told = shown(batch, timezone.now(), self._rate(batch))
        if self._seen != (told.counts, told.words):
            self._seen = (told.counts, told.words)
            self.event, self.over = event_of(told), told.over

    def lose(self) -> None:
        """It was deleted."""
        self.over = True

    def _rate(self, batch: MessageBatch) -> float | None:
        """Items a second of late. None where that says less than the mean: nothing came, and hardly could have."""
        now = time.monotonic()
        self._samples.append((now, batch.done))
        while now - self._samples[0][0] > RATE_SECONDS:
            self._samples.popleft()
        seconds, items = now - self._samples[0][0], batch.done - self._samples[0][1]
        if seconds < LEAST_RATE_SECONDS:
            return None
        if not items and mean_rate(batch, batch.done, timezone.now()) * seconds < LEAST_ITEMS:
            return None
        return items / seconds


class BatchStreams:
    """Of one process. `read` gives the rows that there are of these ids."""

    def __init__(
        self, read: Read = read_batches, *, most: int = MOST, most_of_one: int = MOST_OF_ONE
    ) -> None:
        self._read = read
        self._onlookers = Onlookers(
            Watch, self._look, lost="batch_progress_not_read", most=most, most_of_one=most_of_one
        )

    def stream(self, batch_id: str, user_id: str) -> AsyncIterator[bytes]:
        """What changes, at most once a second; ends with the batch, with the process, and after a while."""
        told = b""

        async def tell(watch: Watch) -> bytes:
            nonlocal told
            before, told = told, watch.event
            return b"" if told == before else told

        def last(watch: Watch) -> bytes:
            return END if watch.over and watch.event == told else b""

        return self._onlookers.stream(batch_id, user_id, tell, last)

    async def _look(self, asked: dict[str, Watch]) -> None:
        found = {batch.id: batch for batch in await self._read(list(asked))}
        for batch_id, watch in asked.items():
            if batch_id in found:
                watch.see(found[batch_id])
            else:
                watch.lose()


def event_of(told: Shown) -> bytes:
    return b"event: progress\ndata: " + msgspec.json.encode(told) + b"\n\n"


streams = BatchStreams()
"""This process's."""
