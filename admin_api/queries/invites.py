"""Who is invited into an organization."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Q, QuerySet
from django.utils import timezone

from gateway.models import Invite, Organization

LISTED = ("pending", "accepted", "expired")


def invites(
    organization: Organization,
    *,
    email: str | None = None,
    roles: Sequence[str] = (),
    statuses: Sequence[str] = (),
) -> QuerySet[Invite]:
    """The invites that were not withdrawn; with filters those that have the address, one of the roles and states."""
    found = Invite.objects.filter(organization=organization, deleted_at=None)
    if email is not None:
        found = found.filter(email__iexact=email)
    if roles:
        found = found.filter(role__in=roles)
    if statuses:
        found = found.filter(_in(statuses))
    return found


def _in(statuses: Sequence[str]) -> Q:
    """As `Invite.status` has it."""
    now = timezone.now()
    state = {
        "accepted": Q(accepted_at__isnull=False),
        "pending": Q(accepted_at=None, expires_at__gt=now),
        "expired": Q(accepted_at=None, expires_at__lte=now),
    }
    wanted = Q(pk__in=[])
    for status in statuses:
        wanted |= state[status]
    return wanted
