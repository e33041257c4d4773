"""What organizations used, read from the rollups: the source of every page, report and export.

Buckets are aligned in UTC; `start` is inclusive, `end` exclusive, and both are widened to whole buckets.
"""

from __future__ import annotations

import dataclasses
import datetime
import uuid
from collections.abc import Sequence
from decimal import Decimal

from django.db import connection

from gateway.metering.rollups import COSTS, DIMENSIONS, SUMS, TABLES, Width

__all__ = ["LENGTHS", "Bucket", "Row", "Width", "ceiling", "cover", "floor", "has_usage", "totals", "usage"]

LENGTHS = {
    Width.MINUTE: datetime.timedelta(minutes=1),
    Width.HOUR: datetime.timedelta(hours=1),
    Width.DAY: datetime.timedelta(days=1),
}

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)

Span = tuple[datetime.datetime, datetime.datetime]


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """Sums over attempts. `cost` is in US dollars, times are sums in milliseconds.

    `errors` are attempts with a status of 400 or more; `first_tokens` are those that have a time to first
    token, so that the mean is `time_to_first_token_ms / first_tokens`. `unpriced_requests` used something while
    their model had no price.
    """

    dimensions: dict[str, str]
    requests: int
    errors: int
    input_tokens: int
    cache_read_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int
    output_tokens: int
    web_search_requests: int
    cost: Decimal
    latency_ms: int
    time_to_first_token_ms: int
    first_tokens: int
    unpriced_requests: int


@dataclasses.dataclass(frozen=True, slots=True)
class Bucket:
    """Rows are sorted by their dimensions; a bucket without usage has none."""

    start: datetime.datetime
    end: datetime.datetime
    rows: list[Row]


def usage(
    organization_id: uuid.UUID,
    *,
    start: datetime.datetime,
    end: datetime.datetime,
    width: Width,
    group_by: Sequence[str] = (),
) -> list[Bucket]:
    """Every bucket between `start` and `end`, oldest first.

    Raises `ValueError` for an unknown name in `group_by` and for a time without a zone.
    """
    names = _known(group_by)
    first, last = _widened(start, end, width)
    found: dict[datetime.datetime, list[Row]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_usage_sql(width, names), [organization_id, first, last])
        for bucket, *values in cursor.fetchall():
            found.setdefault(bucket, []).append(_row(names, values))
    return [Bucket(at, at + LENGTHS[width], found.get(at, [])) for at in _starts(first, last, width)]


def totals(organization_id: uuid.UUID, *, start: datetime.datetime, end: datetime.datetime) -> Row:
    """One row for the whole time, to the minute: whole days from the rollup of days, the rest from finer."""
    spans = cover(*_widened(start, end, Width.MINUTE), tuple(reversed(Width)))
    with connection.cursor() as cursor:
        cursor.execute(_totals_sql([width for width, _ in spans]), _parameters(organization_id, spans))
        (values,) = cursor.fetchall()
    return _row((), values)


def has_usage(organization_id: uuid.UUID) -> bool:
    """Whether the organization ever used anything."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM usage_day WHERE organization_id = %s)", [organization_id])
        ((exists,),) = cursor.fetchall()
    return bool(exists)


def _known(group_by: Sequence[str]) -> tuple[str, ...]:
    for name in group_by:
        if name not in DIMENSIONS:
            raise ValueError(f"{name!r} is no dimension of usage; there are: {', '.join(DIMENSIONS)}")
    return tuple(dict.fromkeys(group_by))


def _widened(start: datetime.datetime, end: datetime.datetime, width: Width) -> Span:
    return floor(start, width), ceiling(end, width)


def floor(at: datetime.datetime, width: Width) -> datetime.datetime:
    """The start of the bucket that holds `at`. Raises `ValueError` for a time without a zone."""
    if at.tzinfo is None:
        raise ValueError("a time without a zone means nothing here")
    return at.astimezone(datetime.UTC) - (at - _EPOCH) % LENGTHS[width]


def ceiling(at: datetime.datetime, width: Width) -> datetime.datetime:
    """The end of the bucket that ends with `at` or holds it. Raises `ValueError` for a time without a zone."""
    start = floor(at, width)
    return start if start == at else start + LENGTHS[width]


def _starts(first: datetime.datetime, last: datetime.datetime, width: Width) -> list[datetime.datetime]:
    count = max(0, (last - first) // LENGTHS[width])
    return [first + n * LENGTHS[width] for n in range(count)]


def cover(
    start: datetime.datetime, end: datetime.datetime, widths: Sequence[Width]
) -> list[tuple[Width, Span]]:
    """The spans that make up the time, each read from the coarsest rollup that has it."""
    if start >= end:
        return []
    coarsest, *finer = widths
    inner_start, inner_end = ceiling(start, coarsest), floor(end, coarsest)
    if inner_start >= inner_end:
        return cover(start, end, finer)
    inner = (coarsest, (inner_start, inner_end))
    return [*cover(start, inner_start, finer), inner, *cover(inner_end, end, finer)]


_NAMES = [name for name in SUMS if name not in COSTS]
_SUMS = ", ".join(f"coalesce(sum({name}), 0)" for name in _NAMES)


def _usage_sql(width: Width, names: Sequence[str]) -> str:
    """All names come from the constants of `rollups`."""
    keys = ", ".join(("bucket", *names))
    return (
        f"SELECT {keys}, {_SUMS} FROM {TABLES[width]}"
        f" WHERE organization_id = %s AND bucket >= %s AND bucket < %s GROUP BY {keys} ORDER BY {keys}"
    )


def _totals_sql(widths: Sequence[Width]) -> str:
    """An empty time still reads one (empty) span, so that there is one row of zeros."""
    names = ", ".join(_NAMES)
    parts = [
        f"SELECT {names} FROM {TABLES[width]} WHERE organization_id = %s AND bucket >= %s AND bucket < %s"
        for width in widths or [Width.DAY]
    ]
    return f"SELECT {_SUMS} FROM ({' UNION ALL '.join(parts)}) AS spans"


def _parameters(organization_id: uuid.UUID, spans: Sequence[tuple[Width, Span]]) -> list[object]:
    empty = (_EPOCH, _EPOCH)
    return [value for span in [span for _, span in spans] or [empty] for value in (organization_id, *span)]


def _row(names: Sequence[str], values: Sequence[object]) -> Row:
    """Postgres sums bigints to numeric, which holds any sum; only money stays decimal here."""
    dimensions = {name: str(value) for name, value in zip(names, values, strict=False)}
    sums = dict(zip(_NAMES, values[len(names) :], strict=True))
    cost = Decimal(str(sums.pop("cost")))
    return Row(dimensions=dimensions, cost=cost, **{name: int(str(value)) for name, value in sums.items()})
