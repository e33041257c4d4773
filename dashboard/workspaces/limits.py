"""The rate limits of a workspace, group by group, with what comes from the organization beside them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from django import forms

from admin_api.limits import LARGEST
from admin_api.queries.rate_limits import Group, groups
from dashboard.forms.form import Form
from dashboard.frame.figures import count
from gateway.limit_pools import limits_of, names_in
from gateway.limiters import CONCURRENT, CONCURRENT_WORDS, ENQUEUED, LIMITERS
from gateway.models import Organization, Workspace

WORDS = {
    **{limiter.name: limiter.words for limiter in LIMITERS},
    "input_tokens_per_minute_cache_aware": "input tokens per minute (cache-aware)",
    CONCURRENT: CONCURRENT_WORDS,
    ENQUEUED: "batch requests in the queue",
}
_TITLES = {"batch": "Message batches", "token_count": "Counting tokens"}


@dataclasses.dataclass(frozen=True)
class Row:
    """One limit; None is none. `tighter` is what holds: the smaller of the two."""

    name: str
    words: str
    own: int | None
    inherited: int | None

    @property
    def tighter(self) -> int | None:
        return min((value for value in (self.own, self.inherited) if value is not None), default=None)


@dataclasses.dataclass(frozen=True)
class Card:
    """A group of limits with its form; `rows` are the limits that hold, `form` has all there can be."""

    id: str
    title: str
    rows: list[Row]
    form: LimitsForm


class LimitsForm(Form):
    """A number for each limit of a pool; nothing takes the workspace's own away."""

    def __init__(self, rows: list[Row], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for row in rows:
            self.fields[row.name] = _field(row)

    @property
    def usual(self) -> list[forms.BoundField]:
        """Fields of limits that there are, here or in the organization."""
        return [self[name] for name, field in self.fields.items() if field.in_use]

    @property
    def others(self) -> list[forms.BoundField]:
        return [self[name] for name, field in self.fields.items() if not field.in_use]


class LimitField(forms.IntegerField):
    """`in_use` where the limit is set somewhere."""

    in_use = False


def cards(
    organization: Organization, workspace: Workspace, given: Mapping[str, Mapping[str, Any]] | None = None
) -> list[Card]:
    """Every group; `given` is what was typed into the form of one of them, by its id."""
    return [
        card(organization, workspace, group, (given or {}).get(group.entry_id(organization)))
        for group in groups(organization)
    ]


def card(
    organization: Organization, workspace: Workspace, group: Group, given: Mapping[str, Any] | None = None
) -> Card:
    id = group.entry_id(organization)
    inherited = organization.effective_limits(group.pool)
    own = limits_of(group.pool, workspace.limits, workspace.group_limits)
    rows = [Row(name, WORDS[name], own.get(name), inherited.get(name)) for name in names_in(group.pool)]
    form = LimitsForm(rows, given, prefix=id, initial={row.name: row.own for row in rows})
    there = [row for row in rows if row.tighter is not None]
    return Card(id, group.display_name or _TITLES[group.pool], there, form)


def _field(row: Row) -> LimitField:
    inherited = (
        f"Organization: {count(row.inherited)}" if row.inherited is not None else "Organization: no limit"
    )
    field = LimitField(
        label=row.words[:1].upper() + row.words[1:],
        required=False,
        min_value=1,
        max_value=LARGEST,
        help_text=inherited,
        widget=forms.NumberInput({"class": "input", "inputmode": "numeric"}),
    )
    field.in_use = row.tighter is not None
    return field
