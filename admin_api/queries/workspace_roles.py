"""In which live workspaces members work, and as what."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

from admin_api.roles import IN_DEFAULT_WORKSPACE, INHERITED, Role, WorkspaceRole
from gateway.models import Membership, Organization, Workspace, WorkspaceMember


@dataclasses.dataclass(frozen=True)
class WorkspaceRoleHeld:
    """`inherited` is what comes from the role in the organization, as every role in the default workspace does."""

    workspace: Workspace
    role: str
    inherited: bool


def roles_given(organization: Organization, user_ids: Collection[str]) -> dict[str, list[WorkspaceRoleHeld]]:
    """What was given to these users in single workspaces, by name of the workspace. One query."""
    rows = WorkspaceMember.objects.filter(
        organization=organization, user__in=user_ids, workspace__archived_at=None
    )
    found: dict[str, list[WorkspaceRoleHeld]] = {}
    for row in rows.select_related("workspace").order_by("workspace__name", "workspace_id"):
        found.setdefault(row.user_id, []).append(WorkspaceRoleHeld(row.workspace, row.role, inherited=False))
    return found


def roles_held(member: Membership) -> list[WorkspaceRoleHeld]:
    """Every live workspace where the member has a role: the default one, then by name."""
    live = Workspace.objects.filter(organization=member.organization_id, archived_at=None)
    everywhere = INHERITED.get(Role(member.role))
    if everywhere is not None:
        rows = live.order_by("-is_default", "name", "id")
        return [WorkspaceRoleHeld(row, everywhere, inherited=True) for row in rows]
    in_default = IN_DEFAULT_WORKSPACE.get(Role(member.role), WorkspaceRole.USER)
    default = [WorkspaceRoleHeld(row, in_default, inherited=True) for row in live.filter(is_default=True)]
    return default + roles_given(member.organization, [member.user_id]).get(member.user_id, [])
