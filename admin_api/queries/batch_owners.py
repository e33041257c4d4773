"""Whose batch somebody may start: the keys that a member can give one, and what each allows to wait."""

from __future__ import annotations

import dataclasses

from django.db.models import Q
from django.utils import timezone

from admin_api.queries.member_workspaces import member_workspaces
from gateway.limit_pools import merged
from gateway.models import ApiKey, Membership, Workspace
from gateway.scopes import Holder, Pools, Queue

MOST = 500


@dataclasses.dataclass(frozen=True)
class BatchOwner:
    """A batch is billed to a key in a workspace. Without a key it is the member's own of the Playground there."""

    workspace: Workspace
    key: ApiKey | None

    @property
    def id(self) -> str:
        return f"{self.workspace.id}/{self.key.id if self.key is not None else ''}"


def batch_owners(member: Membership) -> list[BatchOwner]:
    """In the live workspaces that they work in with keys: their own key of the Playground, and keys that act for nobody
    else. Two queries."""
    places = list(member_workspaces(member).filter(archived_at=None).order_by("-is_default", "name", "id"))
    now = timezone.now()
    usable = ApiKey.objects.filter(
        Q(expires_at=None) | Q(expires_at__gt=now),
        Q(user=None) | Q(user=member.user_id),
        Q(workspace=None) | Q(workspace__in=[place.id for place in places]),
        organization=member.organization_id,
        kind=ApiKey.Kind.API,
        status=ApiKey.Status.ACTIVE,
        service_account=None,
    )
    keys = list(usable.order_by("name", "id")[:MOST]) if places else []
    return [
        BatchOwner(place, key)
        for place in places
        for key in (None, *(one for one in keys if one.workspace_id in (None, place.id)))
    ]


def queues_of(workspace: Workspace, key: ApiKey) -> tuple[Queue, ...]:
    """How many items may wait or run, of the organization, the workspace and the key."""
    organization = workspace.organization
    tier = organization.tier
    holders = (
        Holder(
            "organization",
            str(organization.id),
            {**tier.limits, **organization.limits},
            merged(tier.group_limits, organization.group_limits),
        ),
        Holder("workspace", workspace.id, workspace.limits, workspace.group_limits),
        Holder("api_key", key.id, key.limits, key.group_limits),
    )
    return Pools(organization.id, holders).queues()
