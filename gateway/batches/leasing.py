"""What a runner leases, and when: a desk's worth of the next batch, never too many bytes, never much that must wait."""

from __future__ import annotations

import time
from collections.abc import Iterable

import structlog

from gateway.batches import queue
from gateway.batches.desk import Desk, Leased
from gateway.batches.intake import MOST_MODEL_NAMES
from gateway.batches.pace import Paces
from gateway.batches.queue import Item
from gateway.batches.runners import Presence
from gateway.batches.store import BatchStore, Connection, Row
from gateway.directory.store import StoreUnavailable

log = structlog.get_logger(__name__)

LEASED_AT_ONCE = 200
LEASED_BYTES = 16 << 20
HELD_BYTES = 128 << 20  # of all items that are leased and have no result yet
MOST_WAITING = 200  # of one organization
SURVIVORS = 10  # of one organization that a runner had when it died, at once


class Leasing:
    """Of one runner."""

    def __init__(self, store: BatchStore, presence: Presence, paces: Paces) -> None:
        self._store = store
        self._presence = presence
        self._paces = paces
        self._held_bytes = 0
        self._suspects = 0  # leased items that were under way, or about to be, at two deaths

    async def more(self, desk: Desk) -> bool:
        """More items of one of its batches, of another one the next time; whether there were any."""
        now = time.monotonic()
        room = (HELD_BYTES - self._held_bytes) // 2 - desk.bytes
        batch = desk.next_batch(now, lambda batch: self._any_model_may(batch, now)) if room > 0 else None
        if batch is None or desk.waiting >= MOST_WAITING:
            return False
        room = min(room, LEASED_BYTES)
        try:
            async with self._store.connection() as connection:
                survivors = await self._survivors(connection, desk, batch, room)
                return survivors or await self._next(connection, desk, batch, room)
        except StoreUnavailable as problem:
            log.warning("batch_items_not_leased", error=str(problem))
            desk.seat([])  # until the next look
            return False

    def let_go(self, leased: Leased) -> None:
        """It has its result, or goes back."""
        self._held_bytes -= len(leased.item.params)
        self._suspects -= leased.survived > 1

    async def _next(self, connection: Connection, desk: Desk, batch: Row, room: int) -> bool:
        items = await queue.lease(
            connection, self._presence.id, batch["id"], most=LEASED_AT_ONCE, bytes_=room
        )
        if len(items) < LEASED_AT_ONCE and _size(items) < room:
            desk.batches.remove(batch)  # the rest waits for something; the next look tells
        return self._add(desk, batch, items)

    async def _survivors(self, connection: Connection, desk: Desk, batch: Row, room: int) -> bool:
        """What a runner died of must not take the same others with it again: few at once the second time, and the
        third time one of all."""
        if not batch["survivors"]:
            return False
        runner, batch_id, found = self._presence.id, batch["id"], False
        for tries, most, held in ((1, SURVIVORS, desk.survivors), (2, 1, self._suspects)):
            if held <= most // 2:
                items = await queue.lease_again(
                    connection, runner, batch_id, tries=tries, most=most - held, bytes_=room
                )
                found = self._add(desk, batch, items, survived=tries) or found
        batch["survivors"] = found  # if not, the next look tells
        return found

    def _add(self, desk: Desk, batch: Row, items: list[Item], *, survived: int = 0) -> bool:
        """`survived` are the deaths that they were leased at."""
        self._held_bytes += _size(items)
        self._suspects += len(items) if survived > 1 else 0
        desk.add(items, batch, survived=survived)
        return bool(items)

    def _any_model_may(self, batch: Row, now: float) -> bool:
        """Whether any of its models may be sent anything; of very many not all names are known."""
        names = batch["model_names"]
        return len(names) >= MOST_MODEL_NAMES or any(self._paces.may_send(name, now) for name in names)


def _size(items: Iterable[Item]) -> int:
    return sum(len(item.params) for item in items)
