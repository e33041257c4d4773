"""What an answer in the Playground cost the one who asked, as the ledger has it."""

from __future__ import annotations

import dataclasses
import datetime
from decimal import Decimal

from django.utils import timezone

from gateway.models import ApiKey, Membership, UsageEvent

RECENTLY = datetime.timedelta(days=1)


@dataclasses.dataclass(frozen=True)
class Billed:
    """In US dollars, over all attempts; `priced` is false where one of them used what has no price."""

    cost: Decimal
    priced: bool


def billed(member: Membership, request_id: str) -> Billed | None:
    """None until the ledger has it, and of what others asked."""
    keys = ApiKey.objects.filter(
        organization=member.organization_id, user=member.user_id, kind=ApiKey.Kind.PLAYGROUND
    )
    rows = UsageEvent.objects.filter(
        organization_id=member.organization_id,
        request_id=request_id,
        day__gte=(timezone.now() - RECENTLY).date(),
        api_key_id__in=keys.values("id"),
    ).values_list("cost", "price_version", "status")
    found = list(rows)
    if not found:
        return None
    priced = all(version is not None or status >= 400 for _, version, status in found)
    return Billed(sum((cost for cost, _, _ in found), Decimal(0)), priced)
