"""Message batches of the workspaces that a member works in with keys, and which only they see."""

from __future__ import annotations

from django.db.models import QuerySet

from admin_api.queries.member_workspaces import member_workspaces
from gateway.models import Membership, MessageBatch


def message_batches(member: Membership) -> QuerySet[MessageBatch]:
    """Those that a key of the member's could read, with their workspaces; archived ones among them."""
    rows = MessageBatch.objects.filter(organization=member.organization_id).select_related("workspace")
    return rows.filter(workspace__in=member_workspaces(member).values("id"))
