"""The live tail of the logs as server-sent events, for all who look on in this process at once (`onlookers`).

One statement reads what is new in the ledger, whatever each of them filters by. What comes faster than anybody reads is
counted and not sent.
"""

from __future__ import annotations

import asyncio
import datetime
import json
import uuid
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from django.db import close_old_connections
from django.template.loader import render_to_string
from django.utils import timezone

from admin_api.queries.log_entries import Entry
from admin_api.queries.log_tail import Newest, Taste, newest
from dashboard.frame.onlookers import MOST, MOST_OF_ONE, Onlookers
from dashboard.logs.lines import Line

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
        self._onlookers = Onlookers(
            Tail, self._look, lost="log_tail_not_read", most=most, most_of_one=most_of_one
        )

    def stream(
        self, taste: Taste, user_id: str, zone: datetime.tzinfo = datetime.UTC
    ) -> AsyncIterator[bytes]:
        """What is new, at most once a second, its times in that zone; ends with the process, and after a while."""
        number = 0

        async def tell(tail: Tail) -> bytes:
            nonlocal number
            come, is_first, number = tail.after(number), number == 0, tail.number
            new = [entry for entry in come if taste.takes(entry)]
            return await asyncio.to_thread(_first_event if is_first else event_of, new, zone) if new else b""

        return self._onlookers.stream(taste.sight.organization_id, user_id, tell)

    async def _look(self, asked: dict[uuid.UUID, Tail]) -> None:
        for organization_id, entries in (await self._read(list(asked))).items():
            asked[organization_id].see(entries)


def event_of(new: Sequence[Entry], zone: datetime.tzinfo) -> bytes:
    """The newest rows as HTML, the newest last, and how many there was no room for."""
    return _event(new[-SHOWN_AT_ONCE:], zone, len(new) - min(len(new), SHOWN_AT_ONCE))


def _first_event(there: Sequence[Entry], zone: datetime.tzinfo) -> bytes:
    """What was there before somebody came is not missed."""
    return _event(there[-WITH_THE_FIRST:], zone, 0)


def _event(entries: Sequence[Entry], zone: datetime.tzinfo, dropped: int) -> bytes:
    with timezone.override(zone):
        rows = [render_to_string("dashboard/logs/row.html", {"line": Line(entry)}) for entry in entries]
    return b"event: rows\ndata: " + json.dumps({"rows": rows, "dropped": dropped}).encode() + b"\n\n"


streams = LogStreams()
"""This process's."""
