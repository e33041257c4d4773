"""What the filters of the logs offer: names that the reader may see."""

from __future__ import annotations

import dataclasses
import datetime

from django.db.models import Q
from django.utils import timezone

from admin_api.queries.log_sight import Sight
from gateway.models import ApiKey, Membership, UsageDay, Workspace

MOST = 200  # of each kind; others are filtered by from where they are shown
LATELY = datetime.timedelta(days=30)
Choice = tuple[str, str]


@dataclasses.dataclass(frozen=True)
class Choices:
    keys: list[Choice]
    workspaces: list[Choice]
    members: list[Choice]
    models: tuple[str, ...]


NOTHING = Choices([], [], [], ())


def choices(sight: Sight) -> Choices:
    return Choices(_keys(sight), _workspaces(sight), _members(sight), _models(sight))


def _keys(sight: Sight) -> list[Choice]:
    rows = ApiKey.objects.filter(organization=sight.organization_id, kind=ApiKey.Kind.API)
    if sight.workspaces is not None:
        rows = rows.filter(Q(workspace__in=sight.workspaces) | Q(id__in=sight.keys))
    return [
        (id, f"{name} ({hint})")
        for id, name, hint in rows.order_by("name").values_list("id", "name", "hint")[:MOST]
    ]


def _workspaces(sight: Sight) -> list[Choice]:
    rows = Workspace.objects.filter(organization=sight.organization_id)
    if sight.workspaces is not None:
        rows = rows.filter(id__in=sight.workspaces)
    return list(rows.order_by("-is_default", "name").values_list("id", "name")[:MOST])


def _members(sight: Sight) -> list[Choice]:
    """Who sees only what they sent themselves has nobody to choose from."""
    if sight.workspaces == ():
        return []
    rows = Membership.objects.filter(organization=sight.organization_id).order_by("user__name", "user__email")
    people = rows.values_list("user_id", "user__name", "user__email")[:MOST]
    return [(id, f"{name} ({email})" if name else email) for id, name, email in people]


def _models(sight: Sight) -> tuple[str, ...]:
    rows = UsageDay.objects.filter(organization_id=sight.organization_id, bucket__gte=timezone.now() - LATELY)
    if sight.workspaces is not None:
        rows = rows.filter(Q(workspace_id__in=sight.workspaces) | Q(api_key_id__in=sight.keys))
    return tuple(rows.order_by("model").values_list("model", flat=True).distinct()[:MOST])
