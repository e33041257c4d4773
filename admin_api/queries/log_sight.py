"""Which requests of their organization a member sees in its logs."""

from __future__ import annotations

import dataclasses
import uuid

from admin_api.queries.member_workspaces import member_workspaces
from admin_api.queries.own_keys import own_key_ids
from gateway.models import Membership

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
    return Sight(member.organization_id, places, tuple(own_key_ids(member)))
