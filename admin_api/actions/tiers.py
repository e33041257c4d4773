"""Set up tiers and take them away."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import transaction

from admin_api import audit
from admin_api.actor import Actor
from admin_api.changes import Change, Upserted, differences
from admin_api.limits import check_group_limits, check_limits, group_changes
from admin_api.locks import hold_catalog
from admin_api.queries.model_groups import pools
from gateway.directory import publish
from gateway.errors import InvalidRequest, NotFound
from gateway.limit_pools import GroupLimits
from gateway.limiters import LIMIT_NAMES
from gateway.models import Tier

STANDARD = ("basic", "pro", "enterprise")


@transaction.atomic
def upsert(
    *,
    actor: Actor,
    name: str,
    limits: Mapping[str, int | None],
    group_limits: GroupLimits | None = None,
    reserve_worst_case: bool = False,
) -> Upserted[Tier]:
    """Makes the tier or sets what differs. `limits` and `group_limits` are all it has: an absent one is no limit, or
    in a single pool the one of `limits`.
    """
    hold_catalog()
    found = Tier.objects.select_for_update().filter(name=name).first()
    row = found or Tier(name=name)
    new = Tier(
        name=name,
        limits=check_limits(limits),
        group_limits=check_group_limits(group_limits or {}, pools()),
        reserve_worst_case=reserve_worst_case,
    )
    changes = _differences(row, new)
    outcome = Upserted(row, created=found is None, changes=changes)
    if not outcome.created and not changes:
        return outcome
    row.limits, row.group_limits = new.limits, new.group_limits
    row.reserve_worst_case = reserve_worst_case
    row.save()
    audit.record(
        actor=actor,
        action="tier.created" if outcome.created else "tier.changed",
        target_type="tier",
        target_id=name,
        details=outcome.details(),
    )
    for organization_id in row.organizations.values_list("id", flat=True):
        publish.organization_changed(organization_id)
    return outcome


@transaction.atomic
def remove(*, actor: Actor, tier: Tier) -> None:
    """Takes a tier away that no organization is on; the standard tiers stay."""
    if tier.name in STANDARD:
        raise InvalidRequest(f"tiers.{tier.name}: a standard tier cannot be removed")
    hold_catalog()
    if not Tier.objects.filter(pk=tier.pk).exists():
        raise NotFound("Tier not found.")
    if tier.organizations.exists():
        raise InvalidRequest(f"tiers.{tier.name}: organizations are on it")
    audit.record(actor=actor, action="tier.removed", target_type="tier", target_id=tier.name)
    tier.delete()


def _differences(row: Tier, new: Tier) -> list[Change]:
    changes = [
        Change(change.field, change.old or "no limit", change.new or "no limit")
        for change in differences(_every(row.limits), _every(new.limits))
    ]
    changes += group_changes(row.group_limits, new.group_limits)
    if row.reserve_worst_case != new.reserve_worst_case:
        changes.append(Change("reserve_worst_case", row.reserve_worst_case, new.reserve_worst_case))
    return changes


def _every(limits: Mapping[str, int | None]) -> dict[str, object]:
    return {name: limits.get(name) for name in LIMIT_NAMES}
