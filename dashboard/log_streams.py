"""The live tail of the logs as server-sent events, in the manner of `batch_streams`.

One statement a second reads what is new in the ledger for all who look on in this process, whatever they filter by.
A stream holds neither a thread nor a connection to the database, and lives for two minutes, so that who may look is
asked again. What comes faster than anybody reads is counted and not sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import datetime
import json
import time
import uuid
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence

import structlog
from django.db import Error, close_old_connections
from django.template.loader import render_to_string
from django.utils import timezone

from admin_api.queries.log_entries import Entry
from admin_api.queries.log_tail import Newest, Taste, newest
from dashboard.batch_streams import (
    AGAIN,
    EVERY_SECONDS,
    KEEP_ALIVE,
    KEEP_ALIVE_SECONDS,
    LIFE_SECONDS,
    MOST,
    MOST_OF_ONE,
    NO_ROOM,
)
from dashboard.log_lines import Line
from gateway import ending

log = structlog.get_logger(__name__)

LOOKED_BACK = datetime.timedelta(minutes=10)  # requests that take longer are not in the tail
READ_AT_ONCE = 300  # of one organization
REMEMBERED = 2_000
SHOWN_AT_ONCE = 40  # rows in one event
WITH_THE_FIRST = 150  # that are there already when a reader comes, or comes back

Read = Callable[[Sequence[uuid.UUID]], Awaitable[Newest]]


async def read_newest(organizations: Sequence[uuid.UUID]) -> Newest:
    """The connection is given back at once."""
    return await asyncio.to_thread(_newest, organizations)


def _newest(organizations: Sequence[uuid.UUID]) -> Newest:
    try:
        return newest(organizations, timezone.now() - LOOKED_BACK, READ_AT_ONCE)
    finally:
        close_old_connections()


class Tail:
    """What came of one organization, numbered in the order in which it came here."""

    def __init__(self) -> None:
        self.followers = 0
        self.number = 0
        self._known: set[tuple[datetime.datetime, str]] = set()
        self._come: deque[tuple[int, Entry]] = deque(maxlen=REMEMBERED)

    def see(self, entries: Sequence[Entry]) -> None:
        """`entries` are the newest first. What is not among them any more is never seen again."""
        new = [entry for entry in reversed(entries) if entry.place not in self._known]
        self._known = {entry.place for entry in entries}
        for entry in new:
            self.number += 1
            self._come.append((self.number, entry))

    def after(self, number: int) -> list[Entry]:
        """What came after that one, the newest last."""
        return [entry for at, entry in self._come if at > number]


class LogStreams:
    """Of one process."""

    def __init__(self, read: Read = read_newest, *, most: int = MOST, most_of_one: int = MOST_OF_ONE) -> None:
        self._read = read
        self._most = most
        self._most_of_one = most_of_one
        self._tails: dict[uuid.UUID, Tail] = {}
        self._people: list[str] = []  # who look on, each as often as they do
        self._turn = asyncio.Event()
        self._reading: asyncio.Task[None] | None = None

    async def stream(
        self, taste: Taste, user_id: str, zone: datetime.tzinfo = datetime.UTC
    ) -> AsyncIterator[bytes]:
        """What is new, at most once a second, its times in that zone; ends with the process, and after a while."""
        if len(self._people) >= self._most or self._people.count(user_id) >= self._most_of_one:
            yield NO_ROOM
            return
        with self._following(taste.sight.organization_id, user_id) as tail:
            yield AGAIN
            began = spoke = time.monotonic()
            number = 0
            while not ending.begun() and time.monotonic() - began < LIFE_SECONDS:
                come, is_first, number = tail.after(number), number == 0, tail.number
                if new := [entry for entry in come if taste.takes(entry)]:
                    yield await asyncio.to_thread(_first_event if is_first else event_of, new, zone)
                    spoke = time.monotonic()
                elif time.monotonic() - spoke >= KEEP_ALIVE_SECONDS:
                    yield KEEP_ALIVE
                    spoke = time.monotonic()
                await self._next_turn()

    @contextlib.contextmanager
    def _following(self, organization_id: uuid.UUID, user_id: str) -> Iterator[Tail]:
        tail = self._tails.setdefault(organization_id, Tail())
        tail.followers += 1
        self._people.append(user_id)
        self._start_reading()
        try:
            yield tail
        finally:
            self._people.remove(user_id)
            tail.followers -= 1
            if not tail.followers:
                self._tails.pop(organization_id, None)

    def _start_reading(self) -> None:
        """In a context of its own, since it outlives the request that began it."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read_on(), context=contextvars.Context())

    async def _read_on(self) -> None:
        while self._tails:
            asked = dict(self._tails)
            try:
                for organization_id, entries in (await self._read(list(asked))).items():
                    asked[organization_id].see(entries)
            except Error as problem:
                log.warning("log_tail_not_read", error=str(problem))
            self._turn.set()
            self._turn = asyncio.Event()
            await asyncio.sleep(EVERY_SECONDS)

    async def _next_turn(self) -> None:
        """Also where reading hangs: a stream is kept alive all the same."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(KEEP_ALIVE_SECONDS):
                await self._turn.wait()


def event_of(new: Sequence[Entry], zone: datetime.tzinfo) -> bytes:
    """The newest rows as HTML, the newest last, and how many there was no room for."""
    return _event(new[-SHOWN_AT_ONCE:], zone, len(new) - min(len(new), SHOWN_AT_ONCE))


def _first_event(there: Sequence[Entry], zone: datetime.tzinfo) -> bytes:
    """What was there before somebody came is not missed."""
    return _event(there[-WITH_THE_FIRST:], zone, 0)


def _event(entries: Sequence[Entry], zone: datetime.tzinfo, dropped: int) -> bytes:
    with timezone.override(zone):
        rows = [render_to_string("dashboard/log_row.html", {"line": Line(entry)}) for entry in entries]
    return b"event: rows\ndata: " + json.dumps({"rows": rows, "dropped": dropped}).encode() + b"\n\n"


streams = LogStreams()
"""This process's."""
