"""What a chart of Usage or Cost stacks: kinds of tokens or charges, or the largest groups and all others."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from admin_api.queries.sums import Sum, added
from dashboard.charts.marks import marks
from dashboard.charts.stacked_bars import SERIES_LIMIT, Chart, Column, Unit, stacked_bars
from dashboard.reports.selection import Selection

Value = Callable[[Sum], Decimal]
Kind = tuple[str, str]  # a name, and the column that it sums


@dataclasses.dataclass(frozen=True)
class Series:
    """`bars` has the sums of each bar: one for each of `groups`, the values of the grouping that are shown apart,
    and others, or a single one where there is no grouping."""

    selection: Selection
    bars: Sequence[Sequence[Sum]]
    groups: Sequence[str | None]
    names: Sequence[str]

    def by_kind(self, key: str, title: str, kinds: Sequence[Kind], unit: Unit) -> Chart:
        """One series for each column of `kinds` that has anything."""
        whole = [added(bar) for bar in self.bars]
        shown = [(name, column) for name, column in kinds if any(getattr(one, column) for one in whole)]
        values = [tuple(Decimal(getattr(one, column)) for _, column in shown) for one in whole]
        return self._chart(key, title, [name for name, _ in shown], values, unit)

    def by_group(self, key: str, title: str, value: Value, unit: Unit) -> Chart:
        rows = [_placed(self.groups, bar, value) for bar in self.bars]
        return self._chart(key, title, self.names, rows, unit)

    def _chart(
        self, key: str, title: str, names: Sequence[str], rows: Sequence[tuple[Decimal, ...]], unit: Unit
    ) -> Chart:
        window = self.selection.window
        starts, ends = window.edges[:-1], window.edges[1:]
        columns = [
            Column(start, window.label(start), values, self.selection.into(start, end))
            for start, end, values in zip(starts, ends, rows, strict=True)
        ]
        return stacked_bars(
            key=key,
            title=title,
            spoken_range=window.spoken,
            names=names,
            columns=columns,
            labels=[],
            unit=unit,
            by=self.selection.grouping.one,
            zone=window.zone_name,
            marks=marks([window.tick(start) for start in starts]),
        )


def series(
    selection: Selection, found: Sequence[Sum], shown: Sequence[str], names: Mapping[str, str], others: bool
) -> Series:
    """`found` are sums by bar and, where there is a grouping, by those of `shown`, and None for all others."""
    bars: list[list[Sum]] = [[] for _ in selection.window.edges[1:]]
    for one in found:
        bars[one.slot].append(one)
    groups: list[str | None] = [*shown, *([None] if others else [])]
    words = [names[value] for value in shown] + ([f"Other {selection.grouping.one}s"] if others else [])
    return Series(selection, bars, groups, words)


def shown_apart(values: Sequence[str]) -> tuple[Sequence[str], bool]:
    """Which of all groups, the largest first, get a colour of their own, and whether there are others."""
    return (values, False) if len(values) <= SERIES_LIMIT else (values[: SERIES_LIMIT - 1], True)


def _placed(groups: Sequence[str | None], bar: Sequence[Sum], value: Value) -> tuple[Decimal, ...]:
    found = dict.fromkeys(groups, Decimal(0))
    for one in bar:
        found[one.group[0]] += value(one)
    return tuple(found.values())
