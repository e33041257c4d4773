"""Give members of the organization a role in one workspace, another one, or none.

What an organization role brings with it (`roles.INHERITED`), and every role in the default workspace, is changed
where it comes from: with the role in the organization.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.db import transaction

from admin_api import audit
from admin_api.actions.workspaces import held_live
from admin_api.actor import Actor
from admin_api.queries.workspace_members import workspace_members
from admin_api.roles import GRANTABLE_IN_WORKSPACE, INHERITED
from gateway.errors import InvalidRequest, NotFound
from gateway.models import Membership, Workspace, WorkspaceMember


@transaction.atomic
def add(*, actor: Actor, workspace: Workspace, membership: Membership, role: str) -> Membership:
    """Makes somebody of the organization a member of the workspace; the member as `workspace_members` has it.

    Raises `InvalidRequest` where they are one already, be it through their role in the organization.
    """
    held = held_live(workspace)
    _check_grantable(role)
    user_id = membership.user_id
    if not Membership.objects.filter(pk=membership.pk).exists():
        raise NotFound("User not found.")
    there = workspace_members(held).filter(user_id=user_id).first()
    if there is not None:
        raise InvalidRequest(
            f"user_id: {user_id} is a member of this workspace already{_why(held, there)}",
            error_code="already_member",
        )
    WorkspaceMember.objects.create(
        organization_id=held.organization_id, workspace=held, user_id=user_id, role=role
    )
    _record(actor, "workspace_member.added", held, user_id, {"role": role})
    return _member(held, user_id)


@transaction.atomic
def set_role(*, actor: Actor, workspace: Workspace, user_id: str, role: str) -> Membership:
    """Gives a member of the workspace another role. Raises `InvalidRequest` for a role that is inherited."""
    held = held_live(workspace)
    there = _member(held, user_id)
    if there.workspace_role == role and not held.is_default:
        return there
    _check_own(held, there)
    _check_grantable(role)
    WorkspaceMember.objects.filter(workspace=held, user_id=user_id).update(role=role)
    change = {"old": there.workspace_role, "new": role}
    _record(actor, "workspace_member.role_set", held, user_id, change)
    return _member(held, user_id)


@transaction.atomic
def remove(*, actor: Actor, workspace: Workspace, user_id: str) -> None:
    """Ends a membership in the workspace. Raises `InvalidRequest` for one that is inherited."""
    held = held_live(workspace)
    there = _member(held, user_id)
    _check_own(held, there)
    WorkspaceMember.objects.filter(workspace=held, user_id=user_id).delete()
    _record(actor, "workspace_member.removed", held, user_id, {"role": there.workspace_role})


def _member(workspace: Workspace, user_id: str) -> Membership:
    there = workspace_members(workspace).filter(user_id=user_id).first()
    if there is None:
        raise NotFound("Workspace member not found.")
    return there


def _check_own(workspace: Workspace, there: Membership) -> None:
    if why := _why(workspace, there):
        raise InvalidRequest(f"The role of {there.user_id} in this workspace cannot be changed{why}")


def _why(workspace: Workspace, there: Membership) -> str:
    """Where a role comes from that was not given in the workspace itself."""
    if workspace.is_default:
        return ": in the default workspace it comes from the role in the organization"
    if there.role in INHERITED:
        return f": it comes from the role {there.role!r} in the organization"
    return ""


def _check_grantable(role: str) -> None:
    if role == WorkspaceMember.Role.BILLING:
        raise InvalidRequest(
            f"workspace_role: {role} is not granted; the organization role billing brings it"
        )
    if role not in GRANTABLE_IN_WORKSPACE:
        raise InvalidRequest(f"workspace_role: {role!r} is unknown")


def _record(
    actor: Actor, action: str, workspace: Workspace, user_id: str, details: Mapping[str, object]
) -> None:
    audit.record(
        actor=actor,
        action=action,
        target_type="workspace",
        target_id=workspace.id,
        organization_id=workspace.organization_id,
        details={"user_id": user_id, **details},
    )
