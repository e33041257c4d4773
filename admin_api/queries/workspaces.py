"""The workspaces of an organization."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import QuerySet

from gateway.models import Organization, Workspace


def workspaces(
    organization: Organization,
    *,
    include_archived: bool = False,
    include_default: bool = False,
    ids: Sequence[str] = (),
) -> QuerySet[Workspace]:
    """With `ids` only those among them: an id of another organization, or of nothing, is left out."""
    found = Workspace.objects.filter(organization=organization)
    if not include_archived:
        found = found.filter(archived_at=None)
    if not include_default:
        found = found.filter(is_default=False)
    if ids:
        found = found.filter(id__in=ids)
    return found
