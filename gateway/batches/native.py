"""The runner of batches that their providers carry whole: leases those that are to be looked at, a few at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import structlog

from gateway.batches import native_rows, runners
from gateway.batches.native_courier import Courier
from gateway.batches.native_rows import NativeRows
from gateway.batches.runners import Presence
from gateway.batches.store import BatchStore, Row
from gateway.directory.store import StoreUnavailable
from gateway.engine.plane import Plane

log = structlog.get_logger(__name__)

AT_ONCE = 6
STEP_SECONDS = 0.5
LINGER_SECONDS = 6.0  # for a batch that is to be looked at so soon: to start anew costs more than to wait
AGAIN_SECONDS = 5.0


class NativeRunner:
    """`run` returns when no batch is to be looked at soon, or soon after `stopping` says so."""

    def __init__(self, plane: Plane, store: BatchStore, *, stopping: Callable[[], bool]) -> None:
        self._plane = plane
        self._store = store
        self._stopping = stopping
        self._presence = Presence(store, plane.configuration.data_dir / "run")
        self._looking: dict[str, asyncio.Task[None]] = {}
        self._held_in_vain = False

    async def run(self) -> int:
        """How many batches were given to the engine. Raises `StoreUnavailable` where PostgreSQL is away at first."""
        await self._presence.begin()
        rows = NativeRows(self._store, self._presence.id)
        courier = Courier(self._plane, rows)
        try:
            await self._work(courier, rows)
        finally:
            await self._leave()
        return courier.emulated

    async def _work(self, courier: Courier, rows: NativeRows) -> None:
        while not self._stopping() and not self._presence.fenced:
            soon = await self._take(courier, rows)
            if not soon and not self._looking:
                return
            await self._wait()

    async def _take(self, courier: Courier, rows: NativeRows) -> bool:
        """Begin to look at what is due; whether anything is to be looked at soon, by whomever."""
        try:
            if self._held_in_vain:
                await rows.let_go_of_all_but(self._looking, AGAIN_SECONDS)
                self._held_in_vain = False
            async with self._store.connection() as connection:
                await runners.bury_the_dead(connection, self._plane.configuration.data_dir / "run")
            if room := AT_ONCE - len(self._looking):
                for batch in await rows.lease(room):
                    self._looking[batch["id"]] = asyncio.create_task(self._look_at(batch, courier, rows))
            async with self._store.connection() as connection:
                return await native_rows.any_due(connection, ahead=LINGER_SECONDS)
        except StoreUnavailable as problem:
            log.warning("native_batches_not_read", error=str(problem))
            return True

    async def _look_at(self, batch: Row, courier: Courier, rows: NativeRows) -> None:
        try:
            await rows.let_go(batch["id"], await courier.look_at(batch))
        except StoreUnavailable as problem:
            self._held_in_vain = True
            log.warning("native_batch_not_stored", batch_id=batch["id"], error=str(problem))
        finally:
            self._looking.pop(batch["id"], None)

    async def _wait(self) -> None:
        if self._looking:
            looking = list(self._looking.values())
            await asyncio.wait(looking, timeout=STEP_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        else:
            await asyncio.sleep(STEP_SECONDS)

    async def _leave(self) -> None:
        """Let looks that are under way end, for a while. Whatever is cut off is found again."""
        until = time.monotonic() + self._plane.configuration.drain_seconds
        while self._looking and not self._presence.fenced and time.monotonic() < until:
            await self._wait()
        looking = list(self._looking.values())
        for task in looking:
            task.cancel()
        if looking:
            await asyncio.wait(looking)
        await self._presence.end()


async def anything_to_look_at(store: BatchStore) -> bool:
    """Raises `StoreUnavailable`."""
    async with store.connection() as connection:
        return await native_rows.any_due(connection, ahead=0.0)
