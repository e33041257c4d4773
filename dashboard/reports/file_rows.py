"""What the files of Usage and Cost have in common: where a line stands, in time and among the groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from admin_api.queries.sums import Sum, stream
from dashboard.downloads.csv_export import Cell
from dashboard.reports.group_names import names
from dashboard.reports.selection import Selection


def group_header(selection: Selection) -> list[str]:
    column = selection.grouping.column
    return [column, f"{selection.grouping.key}_name"] if column else []


def placed(selection: Selection) -> Iterator[tuple[Sum, list[Cell]]]:
    """Each sum with the cells of its time and group. Names are all read before: while sums are streamed, nothing else
    can be asked of the connection."""
    if selection.problem:
        return
    called = names(selection.place.organization, selection.grouping)
    edges = selection.window.edges
    for one in stream(selection.question()):
        value = one.group[0] if one.group else None
        group: Sequence[Cell] = [value, called.get(value or "", value)] if one.group else []
        yield one, [edges[one.slot], edges[one.slot + 1], *group]
