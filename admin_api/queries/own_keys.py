"""The keys whose usage is a member's own."""

from __future__ import annotations

from django.db.models import Q

from gateway.models import ApiKey, Membership


def own_key_ids(member: Membership) -> list[str]:
    """Those that act for the member, the Playground's among them, and those that they made."""
    theirs = Q(user=member.user_id) | Q(created_by=member.user_id)
    rows = ApiKey.objects.filter(theirs, organization=member.organization_id).exclude(kind=ApiKey.Kind.ADMIN)
    return list(rows.values_list("id", flat=True))
