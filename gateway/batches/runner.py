"""Runs the items of batches through the engine: leases them, fairly over organizations, and stores their results.

One loop hands out work: in turns, each organization that has anything to send gets one item sent, until the runner or
the organization has as much under way as it may. What is leased (`leasing.py`) and not sent yet waits at a desk, one
for each organization. What becomes of an item stands in `serving.py`; results go to the filing, which stores many at a
time.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable

import structlog

from gateway.batch_states import FINAL, ItemState
from gateway.batches import passage, queue, runners
from gateway.batches.desk import Desk, Leased, most_at_once
from gateway.batches.filing import Filing
from gateway.batches.leasing import MOST_WAITING, Leasing
from gateway.batches.owners import Owners
from gateway.batches.pace import Pace, Paces
from gateway.batches.queue import Outcome
from gateway.batches.runners import Presence
from gateway.batches.serving import TooMuch, not_sent, serve
from gateway.batches.store import BatchStore, Connection, Row
from gateway.directory.store import StoreUnavailable
from gateway.engine.entrance import NotYet
from gateway.engine.plane import Plane

log = structlog.get_logger(__name__)

SHARE = 4  # an organization may have so many times as much under way as is free
LOOK_SECONDS = 1.0
STEP_SECONDS = 0.1

# What has to wait for longer goes back to the queue, where it is in nobody's way.
HOLD_SECONDS = 5.0
HELD_BACK_SECONDS = 10.0
REFUSED_SECONDS, LONGEST_REFUSED_SECONDS = 30.0, 600.0
MOST_REFUSALS = 10_000  # items of which is remembered how often their provider refused them


class Runner:
    """`run` returns when nothing is left to send, or soon after `stopping` says so. At most `most` items are under way
    at once."""

    def __init__(self, plane: Plane, store: BatchStore, *, most: int, stopping: Callable[[], bool]) -> None:
        self._plane = plane
        self._store = store
        self._most = most
        self._stopping = stopping
        self._owners = Owners(plane.directory)
        self._desks: dict[uuid.UUID, Desk] = {}
        self._turns: deque[uuid.UUID] = deque()
        self._paces = Paces()
        self._refusals: dict[tuple[str, int], int] = {}
        self._sending: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._look_at = 0.0
        self._folder = plane.configuration.data_dir / "run"
        self._presence = Presence(store, self._folder)
        self._filing = Filing(store, self._presence)
        self._leasing = Leasing(store, self._presence, self._paces)

    async def run(self) -> None:
        """Raises `StoreUnavailable` where PostgreSQL is away at the beginning."""
        await self._presence.begin()
        try:
            await self._work()
        finally:
            await self._leave()

    async def _work(self) -> None:
        while not self._stopping() and not self._presence.fenced:
            if time.monotonic() >= self._look_at:
                await self._look()
            await self._hand_out()
            if not self._busy and not await self._anything_waits():
                return
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STEP_SECONDS):
                    await self._wake.wait()

    @property
    def _busy(self) -> bool:
        return bool(self._sending) or self._filing.waits or any(desk.waiting for desk in self._desks.values())

    async def _anything_waits(self) -> bool:
        try:
            async with self._store.connection() as connection:
                return await queue.anything_waits(connection)
        except StoreUnavailable:
            return True

    # --- What there is to do ---

    async def _look(self) -> None:
        """Which batches have something to send, and which of those that we hold items of are over."""
        self._look_at = time.monotonic() + LOOK_SECONDS
        try:
            async with self._store.connection() as connection:
                await runners.bury_the_dead(connection, self._folder)
                await queue.mark_unsent(connection)
                self._give_up_what_is_over(await queue.statuses(connection, list(self._held_batches())))
                waiting = await queue.waiting_batches(connection)
                batches = [batch for batch in waiting if await self._is_ours(connection, batch)]
            await self._seat(batches)
        except StoreUnavailable as problem:
            log.warning("batches_not_read", error=str(problem))

    async def _is_ours(self, connection: Connection, batch: Row) -> bool:
        """Whether its items are sent one by one; of a new batch that is decided now."""
        if batch["passage"]:
            return True
        owner = await self._owners.of(batch)
        if owner is None:  # nobody may use it for now
            return False
        target = passage.decide(batch, self._plane.directory.catalog, owner)
        if target is None:
            await queue.decided(connection, batch["id"], "emulated")
            return True
        await queue.decided(connection, batch["id"], "native", target.provider)
        return False

    async def _seat(self, batches: list[Row]) -> None:
        """Each at the desk of its organization, whose limits are looked at again."""
        seats: dict[uuid.UUID, list[Row]] = {organization_id: [] for organization_id in self._desks}
        for batch in batches:
            owner = await self._owners.of(batch)
            if owner is None:  # its key or workspace is gone, and it is about to be cancelled
                continue
            self._desk(batch["organization_id"]).most = most_at_once(owner)
            seats.setdefault(batch["organization_id"], []).append(batch)
        for organization_id, seated in seats.items():
            self._desks[organization_id].seat(seated)

    def _desk(self, organization_id: uuid.UUID) -> Desk:
        if organization_id not in self._desks:
            self._desks[organization_id] = Desk(organization_id)
            self._turns.append(organization_id)
        return self._desks[organization_id]

    def _held_batches(self) -> set[str]:
        return {batch_id for desk in self._desks.values() for batch_id in desk.held_batches()}

    def _give_up_what_is_over(self, statuses: dict[str, str]) -> None:
        """Of batches that were cancelled or have expired nothing more is sent."""
        for desk in self._desks.values():
            for batch_id in desk.held_batches():
                status = statuses.get(batch_id)
                if status != "in_progress":
                    for leased in desk.give_up_batch(batch_id):
                        self._file(desk, leased, not_sent(leased.item, expired=status == "expired"))

    # --- Handing out ---

    async def _hand_out(self) -> None:
        """In turns one item of each organization, for as long as there is room for any."""
        await self._filing.store(all_of_them=not self._sending and not self._anything_at_hand())
        if self._filing.full or not self._plane.valkey.available:
            return
        idle = 0
        while idle < len(self._turns) and len(self._sending) < self._most:
            desk = self._desks[self._turns[0]]
            self._turns.rotate(-1)
            idle = 0 if await self._send_one(desk) else idle + 1

    def _anything_at_hand(self) -> bool:
        return any(desk.waiting for desk in self._desks.values())

    async def _send_one(self, desk: Desk) -> bool:
        """Whether anything of this organization went out."""
        if not self._has_room(desk):
            return False
        if self._send_waiting(desk):
            return True
        if self._filing.failing or not self._made_room(desk):
            return False
        return await self._leasing.more(desk) and self._send_waiting(desk)

    def _has_room(self, desk: Desk) -> bool:
        """Of what is free an organization may not take all: where some hold theirs for long, another still gets on."""
        free = self._most - len(self._sending)
        return not desk.under_way or desk.under_way < min(desk.most, SHARE * (free - 1))

    def _send_waiting(self, desk: Desk) -> bool:
        """Send one of those that are leased, if any may go."""
        now = time.monotonic()
        for line in desk.lines(now):
            pace = self._paces.of(line[1])
            if pace.wait(now) > HOLD_SECONDS:
                self._hold_back(desk, desk.give_up(line), pace.wait(now))
            elif self._paces.may_send(line[1], now):
                self._send(desk, desk.take(line), pace)
                return True
        return False

    def _made_room(self, desk: Desk) -> bool:
        """Whether more may wait there; what nothing may be sent of now goes where it is in nobody's way."""
        now = time.monotonic()
        for batch_id, model in desk.lines(now):
            if desk.waiting >= MOST_WAITING and not self._paces.may_send(model, now):
                self._hold_back(desk, desk.give_up((batch_id, model)), HELD_BACK_SECONDS)
        return desk.waiting < MOST_WAITING

    def _hold_back(self, desk: Desk, held: Iterable[Leased], seconds: float) -> None:
        for leased in held:
            self._file(desk, leased, Outcome(leased.item, ItemState.PENDING, wait=seconds, unsent=True))

    # --- Sending ---

    def _send(self, desk: Desk, leased: Leased, pace: Pace) -> None:
        desk.under_way += 1
        task = asyncio.create_task(self._sent(desk, leased, pace, pace.sent()))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _sent(self, desk: Desk, leased: Leased, pace: Pace, round_: int) -> None:
        try:
            outcome = await serve(leased, self._owners, self._plane)
            if outcome.state is ItemState.SUCCEEDED:
                pace.succeeded()
            self._file(desk, leased, outcome)
            self._presence.tally.sent()
        except NotYet as wait:
            desk.put_back(leased, not_before=time.monotonic() + wait.seconds)
        except TooMuch as problem:
            pace.too_much(time.monotonic(), problem.retry_after, round_)
            self._presence.tally.sent()
            self._presence.tally.refused()
            self._refused(desk, leased)
        except asyncio.CancelledError:  # it was sent, and what came of it is not known
            self._file(desk, leased, Outcome(leased.item, ItemState.PENDING))
        finally:
            desk.under_way -= 1
            pace.ended(round_)
            self._wake.set()

    def _refused(self, desk: Desk, leased: Leased) -> None:
        """One that is refused again and again is too much by itself, perhaps: it must not slow down all others."""
        item = leased.item.batch_id, leased.item.number
        self._refusals[item] = times = self._refusals.pop(item, 0) + 1
        if len(self._refusals) > MOST_REFUSALS:
            del self._refusals[next(iter(self._refusals))]
        if times == 1:
            desk.put_behind(leased)
        else:
            self._hold_back(
                desk, [leased], min(REFUSED_SECONDS * 2.0 ** (times - 2), LONGEST_REFUSED_SECONDS)
            )

    def _file(self, desk: Desk, leased: Leased, outcome: Outcome) -> None:
        if outcome.state in FINAL:
            self._refusals.pop((leased.item.batch_id, leased.item.number), None)
        desk.file(leased)
        self._leasing.let_go(leased)
        if leased.survived:  # more of them may be leased now
            self._look_at = min(self._look_at, time.monotonic() + STEP_SECONDS)
        self._filing.add(outcome)

    # --- Coming and going ---

    async def _leave(self) -> None:
        """Let what is under way end, for a while; store what there is, and give everything else back."""
        if not self._presence.fenced:
            await self._see_off()
        self._plane.interrupting = bool(self._sending)
        for task in self._sending:
            task.cancel()
        if self._sending:
            await asyncio.wait(self._sending)
        self._clear_desks()
        await self._filing.store(all_of_them=True)
        await self._presence.end()

    async def _see_off(self) -> None:
        until = time.monotonic() + self._plane.configuration.drain_seconds
        self._clear_desks()
        while self._sending and time.monotonic() < until:
            await self._filing.store(all_of_them=True)
            await asyncio.wait(self._sending, timeout=STEP_SECONDS)
            self._clear_desks()

    def _clear_desks(self) -> None:
        for desk in self._desks.values():
            self._hold_back(desk, desk.give_up_all(), 0.0)
