"""The API keys of an organization. Admin keys are no part of any list here."""

from __future__ import annotations

from django.db.models import Q, QuerySet
from django.utils import timezone

from gateway.models import ApiKey, Organization


def api_keys(
    organization: Organization,
    *,
    status: str | None = None,
    workspace_id: str | None = None,
    created_by_user_id: str | None = None,
) -> QuerySet[ApiKey]:
    """The keys, each with what is shown of it; `status` is a `current_status`."""
    found = ApiKey.objects.filter(organization=organization, kind=ApiKey.Kind.API)
    found = found.select_related("workspace").prefetch_related("spend_limits")
    if status is not None:
        found = found.filter(_in_status(status))
    if workspace_id is not None:
        found = found.filter(workspace_id=workspace_id)
    if created_by_user_id is not None:
        found = found.filter(created_by_id=created_by_user_id)
    return found


def _in_status(status: str) -> Q:
    """As `ApiKey.current_status` has it."""
    expired = Q(expires_at__lte=timezone.now())
    if status == "expired":
        return expired & ~Q(status=ApiKey.Status.ARCHIVED)
    if status == ApiKey.Status.ARCHIVED:
        return Q(status=status)
    return Q(status=status) & (Q(expires_at=None) | ~expired)
