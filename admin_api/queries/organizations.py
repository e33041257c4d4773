"""All organizations, for operators."""

from __future__ import annotations

from django.db.models import QuerySet

from gateway.models import Organization, Tier


def organizations(
    *, name: str | None = None, tier: Tier | None = None, suspended: bool | None = None
) -> QuerySet[Organization]:
    """Each with its tier; with `name` those that have it as a part of theirs, whatever the case."""
    found = Organization.objects.select_related("tier")
    if name is not None:
        found = found.filter(name__icontains=name)
    if tier is not None:
        found = found.filter(tier=tier)
    if suspended is not None:
        found = found.filter(suspended_at__isnull=not suspended)
    return found
