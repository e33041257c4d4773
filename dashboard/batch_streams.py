"""Live progress of batches as server-sent events.

One statement a second tells all who look on in this process, however many they are, and none while nobody does. A
stream holds neither a thread nor a connection to the database. It lives for two minutes; the browser then asks again,
so that somebody who left the organization sees nothing for longer.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence

import msgspec
import structlog
from django.db import Error, close_old_connections
from django.utils import timezone

from dashboard.batch_progress import Shown, shown
from gateway import ending
from gateway.batches.progress import Counts, mean_rate
from gateway.models import MessageBatch

log = structlog.get_logger(__name__)

EVERY_SECONDS = 1.0
KEEP_ALIVE_SECONDS = 15.0
LIFE_SECONDS = 120.0
RATE_SECONDS = 30.0  # over which the rate is measured
LEAST_RATE_SECONDS = 4.0
LEAST_ITEMS = 3  # that should have come before it means something that none did
MOST = 200  # streams of one process
MOST_OF_ONE = 10  # of them of one person

AGAIN = b"retry: 2000\n\n"
NO_ROOM = b"retry: 15000\n: too many look on; ask again\n\n"
KEEP_ALIVE = b": still here\n\n"
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
        self._most = most
        self._most_of_one = most_of_one
        self._watches: dict[str, Watch] = {}
        self._people: list[str] = []  # who look on, each as often as they do
        self._turn = asyncio.Event()
        self._reading: asyncio.Task[None] | None = None

    async def stream(self, batch_id: str, user_id: str) -> AsyncIterator[bytes]:
        """What changes, at most once a second; ends with the batch, with the process, and after a while."""
        if not self._has_room(user_id):
            yield NO_ROOM
            return
        with self._following(batch_id, user_id) as watch:
            yield AGAIN
            began = spoke = time.monotonic()
            told = b""
            while not ending.begun() and time.monotonic() - began < LIFE_SECONDS:
                if watch.event != told:
                    yield watch.event
                    told, spoke = watch.event, time.monotonic()
                elif time.monotonic() - spoke >= KEEP_ALIVE_SECONDS:
                    yield KEEP_ALIVE
                    spoke = time.monotonic()
                if watch.over and watch.event == told:
                    yield END
                    return
                await self._next_turn()

    def _has_room(self, user_id: str) -> bool:
        return len(self._people) < self._most and self._people.count(user_id) < self._most_of_one

    @contextlib.contextmanager
    def _following(self, batch_id: str, user_id: str) -> Iterator[Watch]:
        watch = self._watches.setdefault(batch_id, Watch())
        watch.followers += 1
        self._people.append(user_id)
        self._start_reading()
        try:
            yield watch
        finally:
            self._people.remove(user_id)
            watch.followers -= 1
            if not watch.followers:
                self._watches.pop(batch_id, None)

    def _start_reading(self) -> None:
        """In a context of its own, since it outlives the request that began it."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read_on(), context=contextvars.Context())

    async def _read_on(self) -> None:
        while self._watches:
            asked = dict(self._watches)
            try:
                self._tell(await self._read(list(asked)), asked)
            except Error as problem:
                log.warning("batch_progress_not_read", error=str(problem))
            self._turn.set()
            self._turn = asyncio.Event()
            await asyncio.sleep(EVERY_SECONDS)

    async def _next_turn(self) -> None:
        """Also where reading hangs: a stream is kept alive all the same."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(KEEP_ALIVE_SECONDS):
                await self._turn.wait()

    def _tell(self, batches: Iterable[MessageBatch], asked: dict[str, Watch]) -> None:
        found = {batch.id: batch for batch in batches}
        for batch_id, watch in asked.items():
            if batch_id in found:
                watch.see(found[batch_id])
            else:
                watch.lose()


def event_of(told: Shown) -> bytes:
    return b"event: progress\ndata: " + msgspec.json.encode(told) + b"\n\n"


streams = BatchStreams()
"""This process's."""
