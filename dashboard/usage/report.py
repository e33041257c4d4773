"""What Usage shows of a selection, and what its file holds."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from decimal import Decimal
from functools import cached_property

from admin_api.queries import sums
from admin_api.queries.sums import Sum
from dashboard.charts.stacked_bars import Chart, Unit
from dashboard.downloads.csv_export import Cell
from dashboard.frame import figures
from dashboard.reports.breakdown import Breakdown
from dashboard.reports.file_rows import group_header, placed
from dashboard.reports.selection import (
    API_KEY,
    CLIENT,
    MEMBER,
    MODEL,
    SESSION,
    TIER,
    TYPE,
    WORKSPACE,
    Selection,
)
from dashboard.reports.sorting import Sort, sorts

GROUPINGS = (TYPE, MODEL, API_KEY, WORKSPACE, MEMBER, TIER, CLIENT, SESSION)
# Columns of the table, each of which may order it.
COLUMNS = {
    "tokens": "Tokens",
    "input_tokens": "Uncached input",
    "cache_writes": "Cache write",
    "cache_read_tokens": "Cache read",
    "output_tokens": "Output",
    "requests": "Requests",
    "errors": "Errors",
    "web_search_requests": "Web searches",
}
SORTS = tuple(COLUMNS)
MEASURES = (*sums.TOKENS, "requests", "errors", "web_search_requests")
TOKENS = (
    ("Uncached input", "input_tokens"),
    ("Cache write, 5 min", "cache_write_5m_tokens"),
    ("Cache write, 1 h", "cache_write_1h_tokens"),
    ("Cache read", "cache_read_tokens"),
    ("Output", "output_tokens"),
)
TOOL = ("Web searches", "web_search_requests")
COUNTS = Unit(tick=figures.compact, short=figures.compact, exact=figures.count, whole=True)
# Columns of the file are named as the fields of the Admin API's report are.
FILE_COLUMNS = (
    ("uncached_input_tokens", "input_tokens"),
    ("ephemeral_5m_input_tokens", "cache_write_5m_tokens"),
    ("ephemeral_1h_input_tokens", "cache_write_1h_tokens"),
    ("cache_read_input_tokens", "cache_read_tokens"),
    ("output_tokens", "output_tokens"),
    ("web_search_requests", "web_search_requests"),
    ("requests", "requests"),
    ("errors", "errors"),
)


@dataclasses.dataclass(frozen=True)
class TokenKind:
    """One kind of token over the whole time."""

    name: str
    count: int
    share: str
    change: str


@dataclasses.dataclass(frozen=True)
class UsageReport:
    breakdown: Breakdown

    @cached_property
    def charts(self) -> list[Chart]:
        drawn = self.breakdown.series
        if not self.breakdown.selection.grouping.column:
            one = ("All", "requests")
            return [
                drawn.by_kind("tokens", "Tokens", TOKENS, COUNTS),
                drawn.by_kind("requests", "Requests", [one], COUNTS),
                *([drawn.by_kind("tools", "Server tools", [TOOL], COUNTS)] if self._uses_tools else []),
            ]
        return [
            drawn.by_group("tokens", "Tokens", lambda one: Decimal(one.tokens), COUNTS),
            drawn.by_group("requests", "Requests", lambda one: Decimal(one.requests), COUNTS),
            *([drawn.by_group("tools", "Server tools", _searches, COUNTS)] if self._uses_tools else []),
        ]

    @property
    def _uses_tools(self) -> bool:
        return self.breakdown.total.web_search_requests > 0

    @property
    def columns(self) -> list[tuple[str, str]]:
        return list(COLUMNS.items())

    @property
    def sorts(self) -> list[Sort]:
        return sorts(self.breakdown.selection, COLUMNS)

    @property
    def kinds(self) -> list[TokenKind]:
        total, before = self.breakdown.total, self.breakdown.before
        return [
            TokenKind(
                name,
                count := getattr(total, column),
                figures.percent(count, total.tokens),
                figures.change(count, getattr(before, column)) if before else "",
            )
            for name, column in TOKENS
        ]

    @property
    def cached_share(self) -> str:
        """Of all input, what came out of caches."""
        total = self.breakdown.total
        return figures.percent(total.cache_read_tokens, total.tokens - total.output_tokens)

    @property
    def error_rate(self) -> str:
        return figures.percent(self.breakdown.total.errors, self.breakdown.total.requests)


def _searches(one: Sum) -> Decimal:
    return Decimal(one.web_search_requests)


def file_header(selection: Selection) -> list[str]:
    return [
        "starting_at",
        "ending_at",
        *group_header(selection),
        *(name for name, _ in FILE_COLUMNS),
        "cost_usd",
    ]


def file_rows(selection: Selection) -> Iterator[list[Cell]]:
    """One for each bar and each of all groups that has anything, the earliest first."""
    for one, place in placed(selection):
        yield [*place, *(getattr(one, column) for _, column in FILE_COLUMNS), one.cost]
