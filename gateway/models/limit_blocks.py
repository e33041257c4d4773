"""Requests that a limit turned away, so that people can ask why. A diagnosis, kept for some days, never the ledger.

`limit_block` is partitioned by day (migration 0013); rows come only from `metering/refusals.py`.
"""

from __future__ import annotations

from django.db import models


class LimitBlock(models.Model):
    """As `metering.refusal.LimitRefusal`. `at` is when it was refused, in UTC, and `day` its date.

    `limit_value`, `needed` and `remaining` are in the limiter's unit, of money in cents. `retry_after_ms` is null
    where waiting cannot help.
    """

    pk = models.CompositePrimaryKey("day", "id")
    day = models.DateField()
    id = models.CharField(max_length=40)
    at = models.DateTimeField()
    request_id = models.CharField(max_length=64)
    organization_id = models.UUIDField()
    workspace_id = models.CharField(max_length=40)
    api_key_id = models.CharField(max_length=40)
    model = models.CharField(max_length=200)
    endpoint = models.CharField(max_length=32)
    kind = models.CharField(max_length=16)
    scope_type = models.CharField(max_length=16)
    scope_id = models.CharField(max_length=40)
    pool = models.CharField(max_length=200, blank=True)
    limiter = models.CharField(max_length=64)
    limit_value = models.BigIntegerField()
    needed = models.BigIntegerField()
    remaining = models.BigIntegerField()
    retry_after_ms = models.BigIntegerField(null=True)
    spend_limit_id = models.CharField(max_length=40, blank=True)

    class Meta:
        db_table = "limit_block"
        indexes = [
            models.Index(fields=["organization_id", "at"], name="limit_block_by_time"),
            models.Index(fields=["organization_id", "request_id"], name="limit_block_by_request"),
            models.Index(fields=["organization_id", "api_key_id", "at"], name="limit_block_by_key"),
        ]

    @property
    def retry_after_seconds(self) -> int | None:
        """Whole seconds that suffice, as the header `retry-after` said them."""
        return None if self.retry_after_ms is None else max(1, -(-self.retry_after_ms // 1000))

    @property
    def scope(self) -> dict[str, str]:
        """Whose limit it is, as the Admin API says it: a type and the id that goes with it."""
        if self.scope_type == "organization":
            return {"type": "organization"}
        return {"type": self.scope_type, f"{self.scope_type}_id": self.scope_id}
