"""Who belongs to an organization."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Q, QuerySet

from gateway.models import ApiKey, Membership, Organization


def members(
    organization: Organization,
    *,
    email: str | None = None,
    roles: Sequence[str] = (),
    words: str = "",
) -> QuerySet[Membership]:
    """The members, each with their user; with `email` and `roles` those who have that address, one of those roles, with
    `words` those whose name or address holds them."""
    found = Membership.objects.filter(organization=organization).select_related("user")
    if email is not None:
        found = found.filter(user__email__iexact=email)
    if roles:
        found = found.filter(role__in=roles)
    if words:
        found = found.filter(Q(user__name__icontains=words) | Q(user__email__icontains=words))
    return found


def api_keys_of(member: Membership) -> QuerySet[ApiKey]:
    """The keys that act for a member, whatever their state; what is sent from the Playground has none to speak of."""
    mine = ApiKey.objects.filter(organization=member.organization_id, user=member.user_id)
    return mine.exclude(kind=ApiKey.Kind.PLAYGROUND)
