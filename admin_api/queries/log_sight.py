"""Which requests of their organization a member sees in its logs."""

from __future__ import annotations

import dataclasses
import uuid

from django.db.models import Q

from admin_api.queries.member_workspaces import member_workspaces
from gateway.models import ApiKey, Membership

Role = Membership.Role
READERS = (Role.ADMIN, Role.DEVELOPER, Role.USER, Role.CLAUDE_CODE_USER)


@dataclasses.dataclass(frozen=True)
class Sight:
    """Requests of these workspaces and of these keys; `workspaces` is None for who sees all."""

    organization_id: uuid.UUID
    workspaces: tuple[str, ...] | None
    keys: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        return self.workspaces is None

    def holds(self, workspace_id: str, api_key_id: str) -> bool:
        return self.workspaces is None or workspace_id in self.workspaces or api_key_id in self.keys


def sight_of(member: Membership) -> Sight:
    """Admins see all, developers the workspaces where they work with keys, users what their own keys sent."""
    if member.role == Role.ADMIN:
        return Sight(member.organization_id, None)
    if member.role not in READERS:
        return Sight(member.organization_id, ())
    places: tuple[str, ...] = ()
    if member.role == Role.DEVELOPER:
        places = tuple(member_workspaces(member).values_list("id", flat=True))
    return Sight(member.organization_id, places, _own_keys(member))


def _own_keys(member: Membership) -> tuple[str, ...]:
    """Keys that act for the member, and those that they made and that act for nobody else.

    Fewer than count as theirs in Usage: who was an admin once, and made everybody's keys, reads nobody's requests.
    """
    made = Q(created_by=member.user_id, user=None, service_account=None)
    rows = ApiKey.objects.filter(Q(user=member.user_id) | made, organization=member.organization_id)
    return tuple(rows.exclude(kind=ApiKey.Kind.ADMIN).values_list("id", flat=True))
