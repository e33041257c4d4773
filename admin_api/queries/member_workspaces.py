"""The workspaces of a member: those that they work in with keys, whose keys, batches and requests they see, those whose
own pages they see and run, and those that they use from the Playground."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from admin_api.roles import (
    IN_DEFAULT_WORKSPACE,
    INHERITED,
    USE_PLAYGROUND,
    WORK_WITH_KEYS,
    Role,
    WorkspaceRole,
)
from gateway.models import Membership, Workspace, WorkspaceMember


def member_workspaces(member: Membership, roles: tuple[str, ...] = WORK_WITH_KEYS) -> QuerySet[Workspace]:
    """Those where the member has one of these roles, archived ones among them."""
    rows = Workspace.objects.filter(organization=member.organization_id)
    inherited = INHERITED.get(Membership.Role(member.role))
    if inherited is not None:
        return rows if inherited in roles else rows.none()
    given = WorkspaceMember.objects.filter(
        organization=member.organization_id, user=member.user_id, role__in=roles
    )
    places = Q(id__in=given.values("workspace"))
    if IN_DEFAULT_WORKSPACE.get(Membership.Role(member.role), WorkspaceRole.USER) in roles:
        places |= Q(is_default=True)
    return rows.filter(places)


def visible_workspaces(member: Membership) -> QuerySet[Workspace]:
    """Those whose pages the member may read, archived ones among them: an admin all, a developer those that they work
    in, anybody else those that they run."""
    reading = member.role in (Role.ADMIN, Role.DEVELOPER)
    return member_workspaces(member, tuple(WorkspaceRole)) if reading else managed_workspaces(member)


def managed_workspaces(member: Membership) -> QuerySet[Workspace]:
    """Those that the member may change."""
    return member_workspaces(member, (WorkspaceRole.ADMIN,))


def playground_workspaces(member: Membership) -> QuerySet[Workspace]:
    """Live ones where the member may try models in the browser, the default one first."""
    rows = member_workspaces(member, USE_PLAYGROUND).filter(archived_at=None)
    return rows.order_by("-is_default", "name", "id")
