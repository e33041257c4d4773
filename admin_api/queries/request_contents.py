"""Of which requests the content is kept."""

from __future__ import annotations

from django.db.models import QuerySet
from django.utils import timezone

from gateway.models import Membership, Organization, RequestContent, Workspace, WorkspaceMember


def is_kept(organization: Organization, request_id: str) -> bool:
    kept = RequestContent.objects.filter(organization_id=organization.id, expires_at__gt=timezone.now())
    return kept.filter(request_id=request_id).exists()


def may_read(member: Membership, workspace: Workspace) -> bool:
    """Admins of the organization, and those of the workspace itself."""
    if member.role == Membership.Role.ADMIN:
        return True
    return _admins(workspace).filter(user=member.user_id).exists()


def _admins(workspace: Workspace) -> QuerySet[WorkspaceMember]:
    return WorkspaceMember.objects.filter(
        organization=workspace.organization_id, workspace=workspace, role=WorkspaceMember.Role.ADMIN
    )
