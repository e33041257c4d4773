"""Walks back in time through a table of requests, newest first, and says how far it came.

The walk goes from span to span: of growing length, or only through hours in which the rollups know of something
that is looked for. Where a filter may be of anything, a span is cut into pieces of as many rows as may be looked
through at once. So no statement is long, and whoever waits for a page may stop at any of them.
"""

from __future__ import annotations

import dataclasses
import datetime
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from django.db import connection

from admin_api.queries.log_entries import Entry

Span = tuple[datetime.datetime, datetime.datetime]
Place = tuple[datetime.datetime, str]

FIRST, LAST = uuid.UUID(int=0), uuid.UUID(int=2**128 - 1)
INSTANT = datetime.timedelta(milliseconds=1)  # times of requests are whole milliseconds
HOUR = datetime.timedelta(hours=1)
GROWING = tuple(datetime.timedelta(days=days) for days in (2, 14, 90))
LOOKED_THROUGH = 20_000  # rows of one piece
HOURS_AT_ONCE = 48


@dataclasses.dataclass(frozen=True)
class Source:
    """`rows` selects of the table what `base`, which an index serves, and `rest` want; `made` makes entries of them.

    `order` is the order in the table, newest first, and `older` what stands behind `%(before_at)s` and `%(before_id)s`
    in it. `summed` is what of `rest` the rollup of hours knows too, empty where it knows nothing of it.
    """

    table: str
    distinct: str
    base: str
    rest: str
    order: str
    older: str
    made: Any
    made_order: str
    values: Mapping[str, Any]
    summed: str = ""


class Walk:
    """Entries from just before `before` down to `span`'s start. Ends early where `deadline` (of `time.monotonic`) has
    passed; `reach` is then the time down to which nothing was left out, and None for a walk that came to its end."""

    def __init__(
        self, source: Source, span: Span, before: Place | None, at_once: int, deadline: float | None = None
    ) -> None:
        self._source = source
        self._start, self._end = span
        self._before = before
        self._at_once = at_once
        self._deadline = deadline
        self.reach: datetime.datetime | None = None
        if before is not None:
            self._end = min(self._end, before[0] + INSTANT)

    def __iter__(self) -> Iterator[Entry]:
        for start, end in self._spans():
            for piece in self._pieces(start, end):
                yield from self._entries(*piece)
                if self._is_late():
                    self.reach = piece[0]
                    return

    def _is_late(self) -> bool:
        return self._deadline is not None and time.monotonic() > self._deadline

    def _spans(self) -> Iterator[Span]:
        return self._hours() if self._source.summed else self._growing()

    def _growing(self) -> Iterator[Span]:
        end = self._end
        for length in GROWING:
            start = max(self._start, self._end - length)
            if start < end:
                yield start, end
            end = start
        if self._start < end:
            yield self._start, end

    def _hours(self) -> Iterator[Span]:
        """Hours with something to find, neighbours as one; the hour that runs is among them like any other."""
        end = self._end
        while hours := self._next_hours(end):
            for start, stop in _joined(hours):
                yield max(start, self._start), min(stop, self._end)
            end = hours[-1]
            if len(hours) < HOURS_AT_ONCE:
                return

    def _next_hours(self, end: datetime.datetime) -> list[datetime.datetime]:
        statement = (
            "SELECT bucket FROM usage_hour AS row WHERE organization_id = %(organization_id)s AND bucket < %(end)s"
            f" AND bucket > %(start)s - interval '1 hour' AND {self._source.summed}"
            f" GROUP BY bucket ORDER BY bucket DESC LIMIT {HOURS_AT_ONCE}"
        )
        return [hour for (hour,) in self._asked(statement, {"start": self._start, "end": end})]

    def _pieces(self, start: datetime.datetime, end: datetime.datetime) -> Iterator[Span]:
        while self._source.rest and (bound := self._bound(start, end)) is not None and bound > start:
            yield bound, end
            end = bound
        yield start, end

    def _bound(self, start: datetime.datetime, end: datetime.datetime) -> datetime.datetime | None:
        """Where as many rows as may be looked through end; None where there are not so many."""
        statement = (
            f"SELECT row.at FROM {self._source.table} AS row WHERE {self._source.base}"
            f" ORDER BY row.at DESC OFFSET {LOOKED_THROUGH - 1} LIMIT 1"
        )
        found = self._asked(statement, _times(start, end))
        return found[0][0] if found else None

    def _entries(self, start: datetime.datetime, end: datetime.datetime) -> Iterator[Entry]:
        before = self._before if self._before is not None and end > self._before[0] else None
        while True:
            page = self._page(start, end, before)
            yield from page
            if len(page) < self._at_once:
                return
            before = page[-1].place

    def _page(self, start: datetime.datetime, end: datetime.datetime, before: Place | None) -> list[Entry]:
        source, values = self._source, _times(start, end)
        rest = f" AND {source.rest}" if source.rest else ""
        if before is not None:
            rest += f" AND {source.older}"
            values |= {"before_at": before[0], "before_id": before[1], "before_uuid": _attempt_id(before[1])}
        rows = (
            f"SELECT {source.distinct} row.* FROM {source.table} AS row WHERE {source.base}{rest}"
            f" ORDER BY {source.order} LIMIT {self._at_once}"
        )
        made = self._asked(f"{source.made(rows)} ORDER BY {source.made_order}", values)
        return [Entry(*row) for row in made]

    def _asked(self, statement: str, values: Mapping[str, Any]) -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute(statement, {**self._source.values, **values})
            return cursor.fetchall()


def _times(start: datetime.datetime, end: datetime.datetime) -> dict[str, Any]:
    """Also as days, by which the tables are partitioned."""
    last = (end - INSTANT).astimezone(datetime.UTC).date()
    return {
        "start": start,
        "end": end,
        "first_day": start.astimezone(datetime.UTC).date(),
        "last_day": last,
    }


def _attempt_id(id: str) -> uuid.UUID:
    """Other ids stand behind those of attempts, as texts do in the order of both, and none before them all."""
    try:
        return uuid.UUID(id)
    except ValueError:
        return LAST if id else FIRST


def _joined(hours: list[datetime.datetime]) -> Iterator[Span]:
    """Hours, newest first, as spans, where one follows the other."""
    start, end = hours[0], hours[0] + HOUR
    for hour in hours[1:]:
        if hour + HOUR != start:
            yield start, end
            end = hour + HOUR
        start = hour
    yield start, end
