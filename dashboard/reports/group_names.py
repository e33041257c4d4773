"""What ids are called on pages: of groups that were found, and of all that a filter offers."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from django.db import connection
from django.db.models import QuerySet

from admin_api.queries.members import members
from dashboard.reports.ranges import DAY, Window
from dashboard.reports.selection import Grouping, Selection
from gateway.models import ApiKey, Organization, User, Workspace

MOST_OPTIONS = 300

Option = tuple[str, str]  # value, label


def names(
    organization: Organization, grouping: Grouping, values: Sequence[str] | None = None
) -> dict[str, str]:
    """By value, of these or of all; what has no name of its own is absent. At most one query."""
    match grouping.column:
        case "api_key_id":
            return _named(ApiKey.objects.filter(organization=organization), values)
        case "workspace_id":
            return _named(Workspace.objects.filter(organization=organization), values)
        case "account_id":
            mine = User.objects.filter(memberships__organization=organization)
            found = mine if values is None else mine.filter(id__in=values)
            return {user.id: user.name or user.email for user in found}
    return {}


def _named(rows: QuerySet[ApiKey] | QuerySet[Workspace], values: Sequence[str] | None) -> dict[str, str]:
    found = rows if values is None else rows.filter(id__in=values)
    return dict(found.values_list("id", "name"))


@dataclasses.dataclass(frozen=True)
class Filter:
    """A choice of a form: the parameter `name`, of which `chosen` is the value now, empty for all."""

    name: str
    label: str
    every: str
    options: Sequence[Option]
    chosen: str


def filters(selection: Selection) -> list[Filter]:
    """What is there to choose from, at most `MOST_OPTIONS` of each: the newest keys. At most four queries."""
    place, own = selection.place, selection.keys
    models, tiers = _used(place.organization, selection.window, own)
    found = [
        _filter(selection, "model", "Model", "All models", models),
        _filter(selection, "workspace_id", "Workspace", "All workspaces", _workspaces(place.organization)),
        _filter(selection, "api_key_id", "API key", "All keys", _keys(place.organization, own)),
        _filter(selection, "service_tier", "Service tier", "All tiers", tiers),
    ]
    if own is None:
        found.insert(3, _filter(selection, "user_id", "Member", "All members", _members(place.organization)))
    return found


def _filter(selection: Selection, name: str, label: str, every: str, options: Sequence[Option]) -> Filter:
    """What an address names is always among its options."""
    chosen = selection.given.get(name, "")
    known = not chosen or any(value == chosen for value, _ in options)
    return Filter(name, label, every, options if known else [*options, (chosen, chosen)], chosen)


def _workspaces(organization: Organization) -> list[Option]:
    rows = organization.workspaces.order_by("-is_default", "name")
    return list(rows.values_list("id", "name")[:MOST_OPTIONS])


def _keys(organization: Organization, own: Sequence[str] | None) -> list[Option]:
    rows = ApiKey.objects.filter(organization=organization).exclude(kind=ApiKey.Kind.ADMIN)
    rows = rows.order_by("-created_at")
    found = rows if own is None else rows.filter(id__in=own)
    return list(found.values_list("id", "name")[:MOST_OPTIONS])


def _members(organization: Organization) -> list[Option]:
    people = members(organization).order_by("user__name", "user__email")[:MOST_OPTIONS]
    return [(one.user.id, one.user.name or one.user.email) for one in people]


_USED = (
    "SELECT DISTINCT model, service_tier FROM usage_day WHERE organization_id = %s AND bucket >= %s AND bucket < %s"
    " AND (%s::text[] IS NULL OR api_key_id = ANY(%s))"
)


def _used(
    organization: Organization, window: Window, own: Sequence[str] | None
) -> tuple[list[Option], list[Option]]:
    """Models and service tiers of the days around the window."""
    keys = None if own is None else list(own)
    with connection.cursor() as cursor:
        cursor.execute(_USED, [organization.id, window.start - DAY, window.end, keys, keys])
        rows = cursor.fetchall()
    models, tiers = ({row[place] for row in rows if row[place]} for place in (0, 1))
    return [(name, name) for name in sorted(models)], [(name, name) for name in sorted(tiers)]
