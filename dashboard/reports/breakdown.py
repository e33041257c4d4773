"""What Usage and Cost read of a selection: its bars, its groups, and the same before."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence

from admin_api.queries.sums import Group, Question, Sum, added, largest, sums
from dashboard.frame import figures
from dashboard.reports.group_names import names
from dashboard.reports.selection import Selection
from dashboard.reports.series import Series, series, shown_apart

MOST_LINES = 100


@dataclasses.dataclass(frozen=True)
class Line:
    """One group: `href` leads to the same page with nothing but it. `before` is None where nothing is compared;
    `share` is that of all money."""

    name: str
    id: str
    href: str
    sum: Sum
    before: Sum | None
    share: str = ""

    @property
    def request_change(self) -> str:
        return figures.change(self.sum.requests, self.before.requests) if self.before else ""

    @property
    def token_change(self) -> str:
        return figures.change(self.sum.tokens, self.before.tokens) if self.before else ""

    @property
    def cost_change(self) -> str:
        return figures.change(self.sum.cost, self.before.cost) if self.before else ""


@dataclasses.dataclass(frozen=True)
class Breakdown:
    """`lines` are the largest groups, `more` whether there are others; `total` is everything, also of those."""

    selection: Selection
    total: Sum
    before: Sum | None
    lines: Sequence[Line]
    more: bool
    series: Series

    @property
    def whole(self) -> Line:
        """All as one line."""
        return Line("All", "", "", self.total, self.before)


def read(selection: Selection, measures: tuple[str, ...]) -> Breakdown:
    """Sums of `measures`, in at most four queries. Of a selection with a `problem` nothing is read."""
    if selection.problem:
        return Breakdown(selection, added([]), None, [], False, series(selection, [], [], {}, False))
    if not selection.grouping.column:
        return _ungrouped(selection, measures)
    asked = _asked(selection, measures)
    found, bars = _at_once(asked, selection) if selection.grouping.few else _apart(asked, selection)
    groups, more = found[:MOST_LINES], len(found) > MOST_LINES
    values = [_value(one) for one in groups]
    called = _called(selection, values)
    shown, others = shown_apart([_value(one) for one in found])
    past, total = _before(selection, measures, values), added(bars)
    return Breakdown(
        selection,
        total,
        added(past.values()) if past is not None else None,
        [_line(selection, one, called, past, total) for one in groups],
        more,
        series(selection, bars, shown, called, others),
    )


def _apart(asked: Question, selection: Selection) -> tuple[list[Sum], list[Sum]]:
    """The largest groups of the whole time, and the bars of those that are shown apart: there may be thousands."""
    found = largest(asked, selection.sort, MOST_LINES + 1)
    shown, _ = shown_apart([_value(one) for one in found])
    return found, sums(asked, among=shown)


def _at_once(asked: Question, selection: Selection) -> tuple[list[Sum], list[Sum]]:
    """The same from one look, where there are few groups."""
    bars = sums(asked)
    parts: dict[Group, list[Sum]] = {}
    for one in bars:
        parts.setdefault(one.group, []).append(one)
    found = [dataclasses.replace(added(some), group=group) for group, some in parts.items()]
    found.sort(key=lambda one: (-getattr(one, selection.sort), one.group))
    shown = set(shown_apart([_value(one) for one in found])[0])
    return found, [one if one.group[0] in shown else dataclasses.replace(one, group=(None,)) for one in bars]


def _ungrouped(selection: Selection, measures: tuple[str, ...]) -> Breakdown:
    bars = sums(_asked(selection, measures))
    past = _before(selection, measures, [])
    before = added(past.values()) if past is not None else None
    return Breakdown(selection, added(bars), before, [], False, series(selection, bars, [], {}, False))


def _asked(selection: Selection, measures: tuple[str, ...], *edges: datetime.datetime) -> Question:
    return dataclasses.replace(selection.question(*edges), measures=measures)


def _before(
    selection: Selection, measures: tuple[str, ...], values: Sequence[str]
) -> Mapping[str | None, Sum] | None:
    """By group, others under None; None where nothing is compared."""
    if not selection.compares:
        return None
    asked = _asked(selection, measures, *selection.window.previous)
    among = values if selection.grouping.column else None
    return {one.group[0] if one.group else None: one for one in sums(asked, among=among)}


def _line(
    selection: Selection,
    one: Sum,
    called: Mapping[str, str],
    past: Mapping[str | None, Sum] | None,
    total: Sum,
) -> Line:
    value, name = _value(one), selection.grouping.filter
    href = selection.address(**{name: value}) if value and name else ""
    before = None if past is None else past.get(value, Sum(0, ()))
    return Line(called[value], value, href, one, before, figures.money_share(one.cost, total.cost))


def _called(selection: Selection, values: Sequence[str]) -> dict[str, str]:
    found = names(selection.place.organization, selection.grouping, values)
    return {value: found.get(value, value) or selection.grouping.none for value in values}


def _value(one: Sum) -> str:
    return one.group[0] or ""
