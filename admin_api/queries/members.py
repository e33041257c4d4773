"""Who belongs to an organization."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import QuerySet

from gateway.models import Membership, Organization


def members(
    organization: Organization, *, email: str | None = None, roles: Sequence[str] = ()
) -> QuerySet[Membership]:
    """The members, each with their user; with `email` and `roles` those who have that address, one of those roles."""
    found = Membership.objects.filter(organization=organization).select_related("user")
    if email is not None:
        found = found.filter(user__email__iexact=email)
    if roles:
        found = found.filter(role__in=roles)
    return found
