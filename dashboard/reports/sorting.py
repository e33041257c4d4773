"""The heads of a table's columns, each a link that orders it: the most first."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from dashboard.reports.selection import Selection


@dataclasses.dataclass(frozen=True)
class Sort:
    label: str
    href: str
    here: bool


def sorts(selection: Selection, columns: Mapping[str, str]) -> list[Sort]:
    """`columns` are labels by what `sort` in the address names."""
    return [
        Sort(label, selection.address(sort=name), name == selection.sort) for name, label in columns.items()
    ]
