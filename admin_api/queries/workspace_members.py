"""Who works in a workspace, and as what."""

from __future__ import annotations

from collections.abc import Mapping

from django.db.models import Case, CharField, Expression, F, OuterRef, QuerySet, Subquery, Value, When

from admin_api.roles import IN_DEFAULT_WORKSPACE, INHERITED, WorkspaceRole
from gateway.models import Membership, Workspace, WorkspaceMember


def workspace_members(workspace: Workspace) -> QuerySet[Membership]:
    """Members of the organization, each with `workspace_id` and `workspace_role`.

    A role that comes from the organization counts before one that was given here.
    """
    members = Membership.objects.filter(organization=workspace.organization_id)
    members = members.annotate(workspace_id=Value(workspace.id))
    if workspace.is_default:
        return members.annotate(workspace_role=_by_role(IN_DEFAULT_WORKSPACE, Value(WorkspaceRole.USER)))
    given = WorkspaceMember.objects.filter(
        organization=workspace.organization_id, workspace=workspace, user=OuterRef("user")
    )
    members = members.annotate(given=Subquery(given.values("role")))
    members = members.annotate(workspace_role=_by_role(INHERITED, F("given")))
    return members.filter(workspace_role__isnull=False)


def _by_role(roles: Mapping[str, str], default: Expression | F) -> Case:
    cases = [When(role=held, then=Value(brought)) for held, brought in roles.items()]
    return Case(*cases, default=default, output_field=CharField())
