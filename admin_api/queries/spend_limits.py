"""The spend limits of an organization, those of its keys apart, which belong to the keys."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Q, QuerySet

from gateway.models import Organization, SpendLimit

SCOPES = {
    "organization": Q(workspace=None, user=None),
    "workspace": Q(workspace__isnull=False),
    "user": Q(user__isnull=False),
}


def spend_limits(
    organization: Organization, *, scope_types: Sequence[str] = (), workspace_id: str | None = None
) -> QuerySet[SpendLimit]:
    """With `scope_types` those of these of `SCOPES`; with `workspace_id` those of this workspace."""
    found = SpendLimit.objects.filter(organization=organization, api_key=None)
    if scope_types:
        wanted = Q()
        for scope_type in scope_types:
            wanted |= SCOPES[scope_type]
        found = found.filter(wanted)
    if workspace_id is not None:
        found = found.filter(workspace=workspace_id)
    return found
