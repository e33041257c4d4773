"""Organizations, the tenants, and the tiers that limit them."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils import timezone

from gateway.limit_pools import DEFAULT, merged, organization_limits_of


class Tier(models.Model):
    """A named set of limits. `limits` maps names of `limiters.LIMIT_NAMES` to positive integers; absent = no limit.

    They hold for each pool by itself. `group_limits` maps pools (a model group's name, or one of
    `limit_pools.RESERVED`) to limits that stand in their place there; a null lifts one.
    """

    name = models.CharField(max_length=64, unique=True)
    limits = models.JSONField(default=dict)
    group_limits = models.JSONField(default=dict, db_default={})
    reserve_worst_case = models.BooleanField(default=False)

    def __str__(self) -> str:
        return self.name


class Organization(models.Model):
    """A tenant. `limits` and `group_limits` override single limits of the tier's; a null lifts that limit.

    `allowed_models` and `denied_models` are lists of names and aliases, `*` standing for anything; an empty
    `allowed_models` allows all, and what is denied is denied. Workspaces and keys have the same two lists:
    all three must allow a model.

    One with `prepaid_since` pays ahead: what it uses from then on is taken from its credit, and is refused once that
    is empty. A whole minute in UTC, so that the rollups tell exactly what came after.

    What its members' sessions must be like (`admin_api/house_rules.py`): with a second factor, from the networks in
    `dashboard_ips` (CIDR; none means anywhere), at most `session_hours` old (null: as long as any session).
    Invitations go only to addresses of `invite_domains`, lower case; none means any.

    With `require_sso` members come through its `sso_connection`. `sso_domains` are those that an operator allows it to
    name there, beside the domains of its admins' confirmed addresses.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=200, unique=True)
    tier = models.ForeignKey(Tier, on_delete=models.PROTECT, related_name="organizations")
    limits = models.JSONField(default=dict)
    group_limits = models.JSONField(default=dict, db_default={})
    allowed_models = models.JSONField(default=list)
    denied_models = models.JSONField(default=list)
    created_at = models.DateTimeField(default=timezone.now)
    suspended_at = models.DateTimeField(null=True)
    prepaid_since = models.DateTimeField(null=True)
    require_second_factor = models.BooleanField(default=False, db_default=False)
    invite_domains = models.JSONField(default=list, db_default=[])
    dashboard_ips = models.JSONField(default=list, db_default=[])
    session_hours = models.SmallIntegerField(null=True)
    require_sso = models.BooleanField(default=False, db_default=False)
    sso_domains = models.JSONField(default=list, db_default=[])

    def __str__(self) -> str:
        return self.name

    def effective_limits(self, pool: str = DEFAULT) -> dict[str, int]:
        """What holds in this pool: the tier's limits with this organization's own over them."""
        groups = merged(self.tier.group_limits, self.group_limits)
        found = organization_limits_of(pool, {**self.tier.limits, **self.limits}, groups)
        return {name: value for name, value in found.items() if value is not None}
