"""Looks after the journal: hears what the ledger has, sends what Valkey does not have, adopts what the dead left."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable

import hiredis
import structlog

from gateway import metrics
from gateway.limits.limiter import Limiter
from gateway.metering import event as ledger
from gateway.metering.journal import Journal
from gateway.shards import SHARDS, usage_stream
from gateway.valkey import ValkeyUnavailable

log = structlog.get_logger(__name__)

HEAR_SECONDS = 0.5
AT_ONCE = 1_000  # messages of a drain, a batch each
SYNC_SECONDS = 1.0
LOST_AFTER_SECONDS = 15.0
LOST_AFTER_RETURN_SECONDS = 2.0  # of Valkey: time for a drain to acknowledge what it still had
LOOK_FOR_LOST_SECONDS = 5.0


class JournalKeeper:
    """`replayed` is told when events were sent again, after which sums may have changed."""

    def __init__(self, journal: Journal, limiter: Limiter, *, replayed: Callable[[], None]) -> None:
        self._journal = journal
        self._limiter = limiter
        self._replayed = replayed
        self._wake = asyncio.Event()
        self._look_for_lost_at = 0.0
        self._back_at: float | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._keep()), asyncio.create_task(self._sync())]

    async def stop(self) -> None:
        """Hear once more, so that little is left for the next process."""
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        with contextlib.suppress(ValkeyUnavailable, hiredis.ReplyError):
            await self._hear()

    def wake(self) -> None:
        """Valkey is back, and perhaps without what it had."""
        self._back_at = time.monotonic()
        self._look_for_lost_at = self._back_at + LOST_AFTER_RETURN_SECONDS
        self._journal.valkey_is_back()
        self._wake.set()

    async def _keep(self) -> None:
        while True:
            try:
                await self._step()
            except (ValkeyUnavailable, hiredis.ReplyError) as problem:
                log.info("journal_waits", why=str(problem))
            except Exception:
                log.exception("journal_not_kept")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HEAR_SECONDS):
                    await self._wake.wait()
            self._wake.clear()

    async def _step(self) -> None:
        closed = await self._journal.adopt()
        if closed:
            metrics.attempts_closed_unknown(closed)
            log.warning("attempts_of_a_dead_process_closed", attempts=closed)
        if self._limiter.valkey.available:
            await self._hear()
            if time.monotonic() >= self._look_for_lost_at:
                self._look_for_lost_at = time.monotonic() + LOOK_FOR_LOST_SECONDS
                await self._look_for_lost()
            if self._journal.waits:
                await self._replay()
        self._journal.keep_small()

    async def _hear(self) -> None:
        told = ledger.acknowledgements(self._journal.owner)
        for ids in await self._limiter.valkey.command("LPOP", told, AT_ONCE) or ():
            self._journal.acknowledged(ids)

    async def _look_for_lost(self) -> None:
        """What was sent a while ago, is acknowledged by nobody and older than anything in the streams, was lost."""
        if not self._journal.unacknowledged:
            return
        now = time.monotonic()
        oldest = now - await self._oldest_in_streams()
        self._journal.lost_before(min(oldest, now - LOST_AFTER_SECONDS))
        if self._back_at is not None and oldest >= self._back_at:
            self._journal.lost_before(self._back_at, replays_too=False)
            self._back_at = None

    async def _oldest_in_streams(self) -> float:
        """Its age in seconds by Valkey's clock; 0 where there is nothing."""
        seconds, microseconds = await self._limiter.valkey.command("TIME")
        now = int(seconds) + int(microseconds) / 1e6
        ages = [0.0]
        for shard in range(SHARDS):
            first = await self._limiter.valkey.command("XRANGE", usage_stream(shard), "-", "+", "COUNT", 1)
            if first:
                ages.append(now - int(first[0][0].split(b"-")[0]) / 1000)
        return max(ages)

    async def _replay(self) -> None:
        sent = await self._journal.replay(self._send)
        if sent:
            log.info("journal_replayed", events=sent)
            self._replayed()

    async def _send(self, events: list[bytes]) -> None:
        """From here on it is this process that waits for their acknowledgement, also where a dead one wrote them."""
        owner = self._journal.owner
        await asyncio.gather(
            *[
                self._limiter.append(ledger.organization_of(event), ledger.addressed(event, owner))
                for event in events
            ]
        )

    async def _sync(self) -> None:
        while True:
            await asyncio.sleep(SYNC_SECONDS)
            await self._journal.sync()
