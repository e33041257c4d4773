"""Walks back in time through a table of requests, newest first, and says how far it came.

Where requests of a few keys are asked for, an index leads to them. Else the walk goes from span to span: of growing
length, or only through hours in which the rollups know of something that is looked for. Where a filter may be of
anything, a span is cut into pieces of as many rows as are looked through at once. So no statement is long, and what
a page costs is bounded.
"""

from __future__ import annotations

import dataclasses
import datetime
import uuid
from collections.abc import Callable, Iterator, Mapping
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
    """Rows of `table` of which `base`, which an index serves, and `rest` are true; `made` makes entries of them.

    `order` is the order in the table, newest first, and `older` what stands behind `%(before_at)s` and `%(before_id)s`
    in it. With `of_keys` only rows of the keys in `%(each_key)s` are wanted, which an index serves too. `summed` is
    what of `rest` the rollup of hours knows as well, empty where it knows nothing of it.
    """

    table: str
    distinct: str
    base: str
    rest: str
    order: str
    older: str
    made: Callable[[str], str]
    values: Mapping[str, Any]
    of_keys: bool = False
    summed: str = ""

    def rows(self, columns: str, condition: str, order: str, limit: int) -> str:
        """A statement for the first rows in this order of which the condition is true."""
        if not self.of_keys:
            return (
                f"SELECT {columns} FROM {self.table} AS row WHERE {condition} ORDER BY {order} LIMIT {limit}"
            )
        of_each = (
            f"SELECT {columns} FROM {self.table} AS row WHERE {condition} AND row.api_key_id = each.id"
            f" ORDER BY {order} LIMIT {limit}"
        )
        return (
            f"SELECT {columns} FROM unnest(%(each_key)s::text[]) AS each(id) CROSS JOIN LATERAL ({of_each}) AS row"
            f" ORDER BY {order} LIMIT {limit}"
        )


class Walk:
    """Entries from just before `before` down to `span`'s start. With a `budget` it ends after about so many rows that
    were looked through; `reach` is then the time down to which nothing was left out, and None for a walk that came to
    its end."""

    def __init__(
        self, source: Source, span: Span, before: Place | None, at_once: int, budget: int | None = None
    ) -> None:
        self._source = source
        self._start, self._end = span
        self._before = before
        self._at_once = at_once
        self._budget = budget
        self._looked_through = 0
        self.reach: datetime.datetime | None = None
        if before is not None:
            self._end = min(self._end, before[0] + INSTANT)

    def __iter__(self) -> Iterator[Entry]:
        for start, end in self._spans():
            for piece in self._pieces(start, end):
                yield from self._entries(*piece)
                if self._budget is not None and self._looked_through >= self._budget:
                    self.reach = piece[0]
                    return

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
        while self._source.rest:
            count, oldest = self._count(start, end)
            self._looked_through += count
            if count < LOOKED_THROUGH or oldest <= start:
                break
            yield oldest, end
            end = oldest
        yield start, end

    def _count(self, start: datetime.datetime, end: datetime.datetime) -> tuple[int, datetime.datetime]:
        """How many rows there are, up to as many as are looked through at once, and the time of the oldest of these."""
        rows = self._source.rows("row.at", self._source.base, "row.at DESC", LOOKED_THROUGH)
        ((count, oldest),) = self._asked(f"SELECT count(*), min(at) FROM ({rows}) AS row", _times(start, end))
        return count, oldest or start

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
        rows = source.rows(f"{source.distinct} row.*", f"{source.base}{rest}", source.order, self._at_once)
        made = self._asked(f"{source.made(rows)} ORDER BY {source.order}", values)
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
