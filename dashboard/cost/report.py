"""What Cost shows of a selection, and what its file holds."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import cached_property

from admin_api.queries.sums import TOKENS
from dashboard.charts.stacked_bars import Chart, Unit
from dashboard.cost.price_lines import PriceLine
from dashboard.downloads.csv_export import Cell
from dashboard.frame import figures
from dashboard.reports.breakdown import Breakdown
from dashboard.reports.file_rows import group_header, placed
from dashboard.reports.selection import API_KEY, MEMBER, MODEL, TOKEN_TYPE, TOOL, WORKSPACE, Selection
from dashboard.reports.sorting import Sort, sorts
from gateway.metering.rollups import COSTS

GROUPINGS = (MODEL, TOKEN_TYPE, TOOL, WORKSPACE, API_KEY, MEMBER)
COLUMNS = {"cost": "Cost", "requests": "Requests", "tokens": "Tokens"}
SORTS = tuple(COLUMNS)
CHARGES = (
    ("Uncached input", "input_cost"),
    ("Cache write, 5 min", "cache_write_5m_cost"),
    ("Cache write, 1 h", "cache_write_1h_cost"),
    ("Cache read", "cache_read_cost"),
    ("Output", "output_cost"),
)
SEARCHES = ("Web searches", "web_search_cost")
TOOLS = (SEARCHES, ("Tokens", "token_cost"))
_MEASURES = (*TOKENS, "requests", "cost", "unpriced_requests")
DOLLARS = Unit(tick=figures.money_tick, short=figures.money, exact=figures.exact_money, whole=False)
MOST_LINES = 200


@dataclasses.dataclass(frozen=True)
class Charge:
    """One kind of charge over the whole time."""

    name: str
    cost: Decimal
    share: str
    change: str


@dataclasses.dataclass(frozen=True)
class CostReport:
    breakdown: Breakdown
    all_lines: Sequence[PriceLine]

    @property
    def kinds(self) -> Sequence[tuple[str, str]]:
        """What is told apart where there are no groups."""
        return TOOLS if self.breakdown.selection.grouping == TOOL else (*CHARGES, SEARCHES)

    @cached_property
    def chart(self) -> Chart:
        drawn = self.breakdown.series
        if not self.breakdown.selection.grouping.column:
            return drawn.by_kind("cost", "Cost", self.kinds, DOLLARS)
        return drawn.by_group("cost", "Cost", lambda one: one.cost, DOLLARS)

    @property
    def charges(self) -> list[Charge]:
        total, before = self.breakdown.total, self.breakdown.before
        return [
            Charge(
                name,
                cost := getattr(total, column),
                figures.money_share(cost, total.cost),
                figures.change(cost, getattr(before, column)) if before else "",
            )
            for name, column in self.kinds
        ]

    @property
    def sorts(self) -> list[Sort]:
        return sorts(self.breakdown.selection, COLUMNS)

    @property
    def lines(self) -> Sequence[PriceLine]:
        return self.all_lines[:MOST_LINES]

    @property
    def more_lines(self) -> int:
        return max(0, len(self.all_lines) - MOST_LINES)

    @cached_property
    def listed(self) -> Decimal:
        """What it would have cost without the discount of batches."""
        return sum((line.listed for line in self.all_lines), Decimal(0))

    @cached_property
    def batch_discount(self) -> Decimal:
        return self.listed - sum((line.billed for line in self.all_lines), Decimal(0))

    @cached_property
    def cache_savings(self) -> Decimal:
        """Less than nothing where more was written to caches than ever read."""
        return sum((line.uncached - line.billed for line in self.all_lines), Decimal(0))


def measures(selection: Selection) -> tuple[str, ...]:
    """What the page needs sums of."""
    return _MEASURES if selection.grouping.column else (*_MEASURES, *COSTS)


def file_header(selection: Selection) -> list[str]:
    charges = [f"{column}_usd" for _, column in (*CHARGES, SEARCHES)]
    return ["starting_at", "ending_at", *group_header(selection), "cost_usd", *charges, "requests", "tokens"]


def file_rows(selection: Selection) -> Iterator[list[Cell]]:
    """One for each bar and each of all groups that has anything, the earliest first."""
    for one, place in placed(selection):
        charges = [getattr(one, column) for _, column in (*CHARGES, SEARCHES)]
        yield [*place, one.cost, *charges, one.requests, one.tokens]
