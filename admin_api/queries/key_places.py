"""The workspaces in which a member works with keys: sends requests, and so has a say in keys and batches there."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from admin_api.roles import IN_DEFAULT_WORKSPACE, INHERITED, WORK_WITH_KEYS, WorkspaceRole
from gateway.models import Membership, Workspace, WorkspaceMember


def everywhere(member: Membership) -> bool:
    """Whether the role in the organization alone brings it about."""
    return INHERITED.get(Membership.Role(member.role)) in WORK_WITH_KEYS


def key_places(member: Membership) -> QuerySet[Workspace]:
    """By the member's roles, archived workspaces among them."""
    rows, role = Workspace.objects.filter(organization=member.organization_id), Membership.Role(member.role)
    if role in INHERITED:
        return rows if everywhere(member) else rows.none()
    places = Q(id__in=_given(member, *WORK_WITH_KEYS).values("workspace"))
    if IN_DEFAULT_WORKSPACE.get(role) in WORK_WITH_KEYS:
        places |= Q(is_default=True)
    return rows.filter(places)


def administers(member: Membership, workspace_id: str | None) -> bool:
    """The workspace, or as an admin of the organization everything; no workspace is the whole organization."""
    if everywhere(member):
        return True
    return (
        workspace_id is not None
        and _given(member, WorkspaceRole.ADMIN).filter(workspace=workspace_id).exists()
    )


def _given(member: Membership, *roles: str) -> QuerySet[WorkspaceMember]:
    return WorkspaceMember.objects.filter(
        organization=member.organization_id, user=member.user_id, role__in=roles
    )
