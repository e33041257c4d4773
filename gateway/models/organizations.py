"""Organizations, the tenants, and the tiers that limit them."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils import timezone

LIMIT_NAMES = (
    "requests_per_minute",
    "tokens_per_minute",
    "input_tokens_per_minute",
    "output_tokens_per_minute",
    "concurrent_requests",
)


class Tier(models.Model):
    """A named set of limits. `limits` maps names of `LIMIT_NAMES` to positive integers; absent = no limit."""

    name = models.CharField(max_length=64, unique=True)
    limits = models.JSONField(default=dict)
    reserve_worst_case = models.BooleanField(default=False)

    def __str__(self) -> str:
        return self.name


class Organization(models.Model):
    """A tenant. `limits` overrides single limits of the tier; a null there lifts that limit.

    `allowed_models` and `denied_models` are lists of names and aliases, `*` standing for anything; an empty
    `allowed_models` allows all, and what is denied is denied. Workspaces and keys have the same two lists:
    all three must allow a model.

    One with `prepaid_since` pays ahead: what it uses from then on is taken from its credit, and is refused once that
    is empty. A whole minute in UTC, so that the rollups tell exactly what came after.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=200, unique=True)
    tier = models.ForeignKey(Tier, on_delete=models.PROTECT, related_name="organizations")
    limits = models.JSONField(default=dict)
    allowed_models = models.JSONField(default=list)
    denied_models = models.JSONField(default=list)
    created_at = models.DateTimeField(default=timezone.now)
    suspended_at = models.DateTimeField(null=True)
    prepaid_since = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.name

    def effective_limits(self) -> dict[str, int]:
        """The tier's limits with this organization's own over them."""
        merged = {**self.tier.limits, **self.limits}
        return {name: value for name, value in merged.items() if value is not None}
