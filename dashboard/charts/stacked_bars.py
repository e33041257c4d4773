"""Stacked bars over time: pure functions from values to the figures of an SVG and of its table.

The plot is drawn in a box as wide as there are bars and 100 high, stretched to its place on the page, so that
lines and words around it keep their size on every screen.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Sequence
from decimal import Decimal

from dashboard.charts.marks import Mark
from dashboard.charts.scale import ceiling

HEIGHT = Decimal(100)
SERIES_LIMIT = 6  # more colours than this nobody tells apart

Format = Callable[[Decimal], str]


@dataclasses.dataclass(frozen=True)
class Unit:
    """How values are written: `tick` on the axis, `short` in the legend, `exact` in the table. With `whole` there
    are no halves on the axis."""

    tick: Format
    short: Format
    exact: Format
    whole: bool


@dataclasses.dataclass(frozen=True)
class Column:
    """One bucket of time with one value per series, in the order of their names; `href` is where it leads."""

    at: datetime.datetime
    label: str
    values: tuple[Decimal, ...]
    href: str = ""


@dataclasses.dataclass(frozen=True)
class Segment:
    series: int
    y: str
    height: str


@dataclasses.dataclass(frozen=True)
class Path:
    series: int
    shape: str


@dataclasses.dataclass(frozen=True)
class Bar:
    x: int
    summary: str
    segments: list[Segment]
    href: str = ""


@dataclasses.dataclass(frozen=True)
class Legend:
    series: int
    name: str
    total: str
    exact: str


@dataclasses.dataclass(frozen=True)
class TableRow:
    at: str
    label: str
    cells: list[str]
    total: str
    href: str = ""


@dataclasses.dataclass(frozen=True)
class Chart:
    """All a template needs; numbers are words already. `ticks` go from the top of the axis down to zero.

    `by` is what the series are, `zone` the one of all times. With `marks` there is one for each bar in place of
    `labels`, most of them empty.
    """

    key: str
    title: str
    description: str
    total: str
    exact_total: str
    width: int
    bars: list[Bar]
    ticks: list[str]
    labels: list[str]
    legend: list[Legend]
    names: list[str]
    rows: list[TableRow]
    by: str = "model"
    zone: str = "UTC"
    marks: list[Mark] = dataclasses.field(default_factory=list)

    @property
    def has_links(self) -> bool:
        return any(bar.href for bar in self.bars)

    @property
    def paths(self) -> list[Path]:
        """All bars of each series as one shape: where something lies over them, none has to be pointed at."""
        shapes: dict[int, list[str]] = {}
        for bar in self.bars:
            for one in bar.segments:
                shape = f"M{bar.x}.14 {one.y}h.72v{one.height}h-.72z"
                shapes.setdefault(one.series, []).append(shape)
        return [Path(series, "".join(shapes[series])) for series in sorted(shapes)]


def stacked_bars(
    *,
    key: str,
    title: str,
    spoken_range: str,
    names: Sequence[str],
    columns: Sequence[Column],
    labels: Sequence[str],
    unit: Unit,
    by: str = "model",
    zone: str = "UTC",
    marks: Sequence[Mark] = (),
) -> Chart:
    """`labels` name equal stretches of the axis, from its start; `marks` single bars."""
    totals = [sum((column.values[index] for column in columns), Decimal(0)) for index in range(len(names))]
    total = sum(totals, Decimal(0))
    top = ceiling(
        max((sum(column.values, Decimal(0)) for column in columns), default=Decimal(0)), whole=unit.whole
    )
    return Chart(
        key=key,
        title=title,
        description=_description(title, by, spoken_range, names, totals, unit.exact),
        total=unit.short(total),
        exact_total=unit.exact(total),
        width=max(1, len(columns)),
        bars=[_bar(index, column, names, top, unit.exact) for index, column in enumerate(columns)],
        ticks=[unit.tick(top), unit.tick(top / 2), "0"],
        labels=list(labels),
        legend=[
            Legend(index + 1, name, unit.short(value), unit.exact(value))
            for index, (name, value) in enumerate(zip(names, totals, strict=True))
        ],
        names=list(names),
        rows=[_row(column, unit.exact) for column in columns],
        by=by,
        zone=zone,
        marks=list(marks),
    )


def _description(
    title: str,
    by: str,
    spoken_range: str,
    names: Sequence[str],
    totals: Sequence[Decimal],
    exact: Format,
) -> str:
    parts = [f"{name} {exact(value)}" for name, value in zip(names, totals, strict=True)]
    return f"{title} by {by} over {spoken_range}: {', '.join(parts) or 'none'}."


def _bar(index: int, column: Column, names: Sequence[str], top: Decimal, exact: Format) -> Bar:
    segments: list[Segment] = []
    foot = HEIGHT
    for series, value in enumerate(column.values, start=1):
        if value > 0:
            height = value * HEIGHT / top
            foot -= height
            segments.append(Segment(series, f"{foot:.3f}", f"{height:.3f}"))
    return Bar(index, _summary(column, names, exact), segments, column.href)


def _summary(column: Column, names: Sequence[str], exact: Format) -> str:
    """What a pointer over the bar shows: the time, the sum, then every series that has something."""
    parts = [(name, value) for name, value in zip(names, column.values, strict=True) if value]
    lines = [f"{column.label}: {exact(sum(column.values, Decimal(0)))}"]
    if len(parts) > 1:
        lines += [f"{name} {exact(value)}" for name, value in parts]
    elif parts:
        lines += [parts[0][0]]
    return "\n".join(lines)


def _row(column: Column, exact: Format) -> TableRow:
    return TableRow(
        at=column.at.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%MZ"),
        label=column.label,
        cells=[exact(value) for value in column.values],
        total=exact(sum(column.values, Decimal(0))),
        href=column.href,
    )
