"""What one key used, by day: totals and charts of its page."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Sequence
from decimal import Decimal

from admin_api.queries.key_usage import KeyDay, key_days
from dashboard.charts.stacked_bars import SERIES_LIMIT, Chart, Column, Unit, stacked_bars
from dashboard.frame import figures
from gateway.models import ApiKey
from gateway.models.spend_limits import Period

OTHERS = "Other models"
COUNTS = Unit(tick=figures.compact, short=figures.compact, exact=figures.count, whole=True)
DOLLARS = Unit(tick=figures.money_tick, short=figures.money, exact=figures.exact_money, whole=False)
Value = Callable[[KeyDay], Decimal]


@dataclasses.dataclass(frozen=True)
class Days:
    """So many days with today, whose axis names each `label_every`-th."""

    key: str
    label: str
    count: int
    label_every: int

    @property
    def spoken(self) -> str:
        return f"the last {self.count} days"


RANGES = (Days("7d", "7 d", 7, 1), Days("30d", "30 d", 30, 6), Days("90d", "90 d", 90, 15))
DEFAULT = RANGES[1]


@dataclasses.dataclass(frozen=True)
class KeyUsage:
    days: Days
    requests: int
    errors: int
    tokens: int
    cost: Decimal
    charts: list[Chart]

    @property
    def error_rate(self) -> str:
        return figures.percent(self.errors, self.requests)


def days_of(key: str) -> Days:
    """The range of that key; anything else is the default."""
    return next((one for one in RANGES if one.key == key), DEFAULT)


def read(key: ApiKey, days: Days, now: datetime.datetime) -> KeyUsage:
    """By one query; days are those of UTC."""
    first = Period("daily").start(now) - datetime.timedelta(days=days.count - 1)
    rows = key_days(key.organization, [key.id], first)
    return KeyUsage(
        days=days,
        requests=sum(row.requests for row in rows),
        errors=sum(row.errors for row in rows),
        tokens=sum(row.tokens for row in rows),
        cost=sum((row.cost for row in rows), Decimal(0)),
        charts=[
            _chart("requests", "Requests", lambda row: Decimal(row.requests), COUNTS, rows, first, days),
            _chart("cost", "Cost", lambda row: row.cost, DOLLARS, rows, first, days),
        ],
    )


def _chart(
    key: str,
    title: str,
    value: Value,
    unit: Unit,
    rows: Sequence[KeyDay],
    first: datetime.datetime,
    days: Days,
) -> Chart:
    names, starts = _names(rows), [first + datetime.timedelta(days=n) for n in range(days.count)]
    return stacked_bars(
        key=key,
        title=title,
        spoken_range=days.spoken,
        names=names,
        columns=[Column(start, f"{start:%b %-d}", _values(names, rows, start, value)) for start in starts],
        labels=[f"{start:%b %-d}" for start in starts[:: days.label_every]],
        unit=unit,
    )


def _values(
    names: Sequence[str], rows: Sequence[KeyDay], start: datetime.datetime, value: Value
) -> tuple[Decimal, ...]:
    sums = dict.fromkeys(names, Decimal(0))
    for row in rows:
        if row.day == start.date():
            sums[row.model if row.model in sums else OTHERS] += value(row)
    return tuple(sums.values())


def _names(rows: Sequence[KeyDay]) -> list[str]:
    """Models by their requests, in the same order in every chart; the small ones together."""
    sums: dict[str, int] = {}
    for row in rows:
        sums[row.model] = sums.get(row.model, 0) + row.requests
    names = sorted(sums, key=lambda name: (-sums[name], name))
    return names if len(names) <= SERIES_LIMIT else [*names[: SERIES_LIMIT - 1], OTHERS]
