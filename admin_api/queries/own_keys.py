"""The keys whose usage is a member's own."""

from __future__ import annotations

from django.db.models import Q

from gateway.models import ApiKey, Membership


def own_key_ids(member: Membership) -> list[str]:
    """Those that act for the member, and those that they made and that act for nobody else."""
    made = Q(created_by=member.user_id, user=None, service_account=None)
    rows = ApiKey.objects.filter(Q(user=member.user_id) | made, organization=member.organization_id)
    return list(rows.values_list("id", flat=True))
