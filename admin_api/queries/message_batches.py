"""Message batches of the workspaces that a member works in with keys, and which only they see."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from admin_api.roles import IN_DEFAULT_WORKSPACE, INHERITED, WORK_WITH_KEYS
from gateway.models import Membership, MessageBatch, WorkspaceMember


def message_batches(member: Membership) -> QuerySet[MessageBatch]:
    """Those that a key of the member's could read, with their workspaces; archived ones among them."""
    rows = MessageBatch.objects.filter(organization=member.organization_id).select_related("workspace")
    inherited = INHERITED.get(Membership.Role(member.role))
    if inherited is not None:
        return rows if inherited in WORK_WITH_KEYS else rows.none()
    given = WorkspaceMember.objects.filter(
        organization=member.organization_id, user=member.user_id, role__in=WORK_WITH_KEYS
    )
    places = Q(workspace__in=given.values("workspace"))
    if IN_DEFAULT_WORKSPACE.get(Membership.Role(member.role)) in WORK_WITH_KEYS:
        places |= Q(workspace__is_default=True)
    return rows.filter(places)
