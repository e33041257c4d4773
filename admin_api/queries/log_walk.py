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
# Rows that are looked through at once: neighbours in the table, or such as an index finds here and there.
NEIGHBOURS, SCATTERED = 20_000, 8_000
HOURS_AT_ONCE = 48
_EACH = "unnest(%(each_key)s::text[]) AS each(id) CROSS JOIN LATERAL"
_OF_EACH = "row.api_key_id = each.id"


@dataclasses.dataclass(frozen=True)
class Source:
    """Rows of `table` of which `base`, which an index serves, `rest` and `last` are true; `made` makes entries of them.
    What is `last` is true of nearly all rows, and dear: nothing is looked through for it.

    `order` is the order in the table, newest first, and `older` what stands behind `%(before_at)s` and `%(before_id)s`
    in it; `piece` rows are looked through at once. With `of_keys` only rows of the keys in `%(each_key)s` are wanted,
    which an index serves too. `summed` is what of `rest` the rollup of hours knows as well, empty where it knows
    nothing of it.
    """

    table: str
    distinct: str
    base: str
    rest: str
    last: str
    order: str
    older: str
    made: Callable[[str], str]
    values: Mapping[str, Any]
    piece: int = NEIGHBOURS
    of_keys: bool = False
    summed: str = ""

    def rows(self, more: str, limit: int) -> str:
        """A statement for the newest rows of which `more` is true too."""
        columns, of_all = f"{self.distinct} row.*", (self.base, self.rest, self.last, more)
        condition = " AND ".join(filter(None, of_all))
        newest = f"ORDER BY {self.order} LIMIT {limit}"
        if not self.of_keys:
            return f"SELECT {columns} FROM {self.table} AS row WHERE {condition} {newest}"
        of_each = f"SELECT {columns} FROM {self.table} AS row WHERE {condition} AND {_OF_EACH} {newest}"
        return f"SELECT {columns} FROM {_EACH} ({of_each}) AS row {newest}"

    def counted(self, most: int) -> str:
        """A statement for how many rows `base` leads to, at most `most`, and the time of the oldest of these: of each
        key, or of all."""
        mine = f"{self.base} AND {_OF_EACH}" if self.of_keys else self.base
        newest = f"SELECT row.at FROM {self.table} AS row WHERE {mine} ORDER BY row.at DESC LIMIT {most}"
        counted = f"SELECT count(*) AS count, min(at) AS oldest FROM ({newest}) AS row"
        return f"SELECT part.* FROM {_EACH} ({counted}) AS part" if self.of_keys else counted


class Walk:
    """Entries from just before `before` down to `span`'s start. With `pieces` it ends after about as many rows as
    these many pieces hold; `reach` is then the time down to which nothing was left out, and None where it came to its
    end."""

    def __init__(
        self, source: Source, span: Span, before: Place | None, at_once: int, pieces: int | None = None
    ) -> None:
        self._source = source
        self._start, self._end = span
        self._before = before
        self._at_once = at_once
        self._most = None if pieces is None else pieces * source.piece
        self._looked_through = 0
        self.reach: datetime.datetime | None = None
        if before is not None:
            self._end = min(self._end, before[0] + INSTANT)

    def __iter__(self) -> Iterator[Entry]:
        for start, end in self._spans():
            for piece in self._pieces(start, end):
                yield from self._entries(*piece)
                if self._most is not None and self._looked_through >= self._most:
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
            count, bound = self._look(start, end)
            self._looked_through += count
            if bound is None or bound <= start:
                break
            yield bound, end
            end = bound
        yield start, end

    def _look(self, start: datetime.datetime, end: datetime.datetime) -> tuple[int, datetime.datetime | None]:
        """How many rows of the span there are, or are looked through at once, and the time of the oldest of these;
        None where these are all. Of each key a part is looked through."""
        keys = len(self._source.values["each_key"]) if self._source.of_keys else 1
        most = max(1, self._source.piece // max(1, keys))
        counted = self._source.counted(most)
        statement = (
            f"SELECT coalesce(sum(count), 0)::bigint, max(oldest) FILTER (WHERE count >= {most})"
            f" FROM ({counted}) AS part"
        )
        ((count, bound),) = self._asked(statement, _times(start, end))
        return count, bound

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
        if before is not None:
            values |= {"before_at": before[0], "before_id": before[1], "before_uuid": _attempt_id(before[1])}
        rows = source.rows(source.older if before is not None else "", self._at_once)
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
