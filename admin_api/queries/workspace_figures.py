"""What workspaces hold and use: members, keys, spend."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Collection
from decimal import Decimal

from django.db import models
from django.db.models import Count, Q, Sum
from django.utils import timezone

from admin_api.roles import INHERITED
from gateway.models import ApiKey, Membership, Organization, UsageDay, Workspace, WorkspaceMember
from gateway.models.spend_limits import Period

HOUR = datetime.timedelta(hours=1)


@dataclasses.dataclass(frozen=True)
class Figures:
    """`keys` are those that work now; `spent` is this month's, in US dollars."""

    members: int
    keys: int
    spent: Decimal


def figures_of(
    organization: Organization, workspaces: Collection[Workspace], *, now: datetime.datetime
) -> dict[str, Figures]:
    """By id of the workspace. Four queries, however many there are."""
    ids = [one.id for one in workspaces]
    everybody, everywhere = _members_of(organization)
    given, keys, spent = _given(organization, ids), _keys(organization, ids), _spent(organization, ids, now)
    return {
        one.id: Figures(
            members=everybody if one.is_default else everywhere + given.get(one.id, 0),
            keys=keys.get(one.id, 0),
            spent=spent.get(one.id, Decimal(0)),
        )
        for one in workspaces
    }


def keys_used_lately(workspace: Workspace, *, now: datetime.datetime) -> int:
    """How many keys of the workspace that still work sent something within the last hour."""
    return _working(workspace.organization_id).filter(workspace=workspace, use__at__gte=now - HOUR).count()


def _members_of(organization: Organization) -> tuple[int, int]:
    """All, and those who are members of every workspace by their role."""
    rows = Membership.objects.filter(organization=organization)
    counted = rows.aggregate(
        everybody=Count("id"), everywhere=Count("id", filter=Q(role__in=list(INHERITED)))
    )
    return counted["everybody"], counted["everywhere"]


def _given(organization: Organization, ids: Collection[str]) -> dict[str, int]:
    """Members by a role of the workspace's own."""
    everywhere = Membership.objects.filter(organization=organization, role__in=list(INHERITED))
    rows = WorkspaceMember.objects.filter(organization=organization, workspace__in=ids)
    rows = rows.exclude(user__in=everywhere.values("user"))
    return dict(rows.values_list("workspace").annotate(Count("id")))


def _keys(organization: Organization, ids: Collection[str]) -> dict[str, int]:
    rows = _working(organization.id).filter(workspace__in=ids)
    return dict(rows.values_list("workspace").annotate(Count("id")))


def _working(organization_id: object) -> models.QuerySet[ApiKey]:
    lasting = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
    return ApiKey.objects.filter(
        lasting, organization=organization_id, kind=ApiKey.Kind.API, status=ApiKey.Status.ACTIVE
    )


def _spent(organization: Organization, ids: Collection[str], now: datetime.datetime) -> dict[str, Decimal]:
    rows = UsageDay.objects.filter(
        organization_id=organization.id,
        bucket__gte=Period("monthly").start(now),
        bucket__lte=now,
        workspace_id__in=ids,
    )
    return dict(rows.values_list("workspace_id").annotate(Sum("cost")))
