"""What the Overview shows of a range: totals, and requests, tokens and cost over time by model."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from functools import cached_property

from admin_api.queries.own_keys import own_key_ids
from dashboard.charts.stacked_bars import SERIES_LIMIT, Chart, Column, Unit, stacked_bars
from dashboard.frame import figures
from dashboard.frame.place import Place
from dashboard.reports.ranges import Range
from gateway.metering import reports
from gateway.metering.reports import Bucket, Row

OTHERS = "Other models"

COUNTS = Unit(tick=figures.compact, short=figures.compact, exact=figures.count, whole=True)
DOLLARS = Unit(tick=figures.money_tick, short=figures.money, exact=figures.exact_money, whole=False)

Value = Callable[[Row], Decimal]


@dataclasses.dataclass(frozen=True)
class Usage:
    range: Range
    bars: list[Bucket]
    as_of: datetime.datetime
    ever: bool
    whole_organization: bool

    @cached_property
    def rows(self) -> list[Row]:
        return [row for bar in self.bars for row in bar.rows]

    @property
    def requests(self) -> int:
        return sum(row.requests for row in self.rows)

    @property
    def errors(self) -> int:
        return sum(row.errors for row in self.rows)

    @property
    def tokens(self) -> int:
        return sum(_tokens(row) for row in self.rows)

    @property
    def input_tokens(self) -> int:
        """All that was read: uncached input, and what went into and came out of caches."""
        return self.tokens - self.output_tokens

    @property
    def cached_tokens(self) -> int:
        return sum(row.cache_read_tokens for row in self.rows)

    @property
    def output_tokens(self) -> int:
        return sum(row.output_tokens for row in self.rows)

    @property
    def cost(self) -> Decimal:
        return sum((row.cost for row in self.rows), Decimal(0))

    @property
    def error_rate(self) -> str:
        return figures.percent(self.errors, self.requests)

    @property
    def first_token(self) -> str:
        """Mean time to the first token of the attempts that have one."""
        measured = sum(row.first_tokens for row in self.rows)
        if not measured:
            return "n/a"
        return figures.duration(Decimal(sum(row.time_to_first_token_ms for row in self.rows)) / measured)

    @cached_property
    def charts(self) -> list[Chart]:
        return [
            self._chart("requests", "Requests", lambda row: Decimal(row.requests), COUNTS),
            self._chart("tokens", "Tokens", lambda row: Decimal(_tokens(row)), COUNTS),
            self._chart("cost", "Cost", lambda row: row.cost, DOLLARS),
        ]

    def _chart(self, key: str, title: str, value: Value, unit: Unit) -> Chart:
        names = self._names
        columns = [
            Column(bar.start, bar.start.strftime(self.range.bucket_format), _by_name(names, bar.rows, value))
            for bar in self.bars
        ]
        starts = [bar.start for bar in self.bars[:: self.range.label_every]]
        return stacked_bars(
            key=key,
            title=title,
            spoken_range=self.range.spoken,
            names=names,
            columns=columns,
            labels=[start.strftime(self.range.label_format) for start in starts],
            unit=unit,
        )

    @cached_property
    def _names(self) -> list[str]:
        """Models in the same order, and so the same colours, in every chart: by tokens, the small ones together."""
        sums: dict[str, int] = {}
        for row in self.rows:
            sums[_model(row)] = sums.get(_model(row), 0) + _tokens(row) + row.requests
        names = sorted(sums, key=lambda name: (-sums[name], name))
        return names if len(names) <= SERIES_LIMIT else [*names[: SERIES_LIMIT - 1], OTHERS]


def read(place: Place, chosen: Range, now: datetime.datetime) -> Usage:
    """Everything for those who may see it; plain users see what their own keys used."""
    start, end = chosen.span(now)
    organization_id = place.organization.id
    all_keys = place.sees_all_usage
    buckets = reports.usage(
        organization_id,
        start=start,
        end=end,
        width=chosen.width,
        group_by=("model",) if all_keys else ("model", "api_key_id"),
    )
    return Usage(
        range=chosen,
        bars=_merged(buckets if all_keys else _of_keys(buckets, _own_keys(place)), chosen.merged),
        as_of=now,
        ever=reports.has_usage(organization_id),
        whole_organization=all_keys,
    )


def _own_keys(place: Place) -> set[str]:
    return set(own_key_ids(place.membership))


def _of_keys(buckets: Sequence[Bucket], keys: set[str]) -> list[Bucket]:
    return [
        dataclasses.replace(bucket, rows=[row for row in bucket.rows if row.dimensions["api_key_id"] in keys])
        for bucket in buckets
    ]


def _merged(buckets: Sequence[Bucket], size: int) -> list[Bucket]:
    """Every `size` neighbours as one; what they hold stays rows of their own."""
    groups = [buckets[first : first + size] for first in range(0, len(buckets), size)]
    return [
        Bucket(group[0].start, group[-1].end, [row for one in group for row in one.rows]) for group in groups
    ]


def _by_name(names: Sequence[str], rows: Iterable[Row], value: Value) -> tuple[Decimal, ...]:
    sums = dict.fromkeys(names, Decimal(0))
    for row in rows:
        name = _model(row) if _model(row) in sums else OTHERS
        sums[name] += value(row)
    return tuple(sums.values())


def _model(row: Row) -> str:
    return row.dimensions["model"] or "unknown"


def _tokens(row: Row) -> int:
    return (
        row.input_tokens
        + row.cache_read_tokens
        + row.cache_write_5m_tokens
        + row.cache_write_1h_tokens
        + row.output_tokens
    )
