"""Test calls that operators ask for in the browser. Rows are the queue; a worker runs them and writes what came."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


class ProviderCheck(models.Model):
    """What `gateway/provider_check/` asks of one provider. `model` is its own name for it; none means all.

    `lines` are the calls that have ended, as `provider_check/report.py` tells programs of them. `problem` says why
    nothing could be asked.
    """

    provider = models.CharField(max_length=64)
    model = models.CharField(max_length=200, blank=True)
    asked_at = models.DateTimeField(default=timezone.now)
    asked_by = models.CharField(max_length=64, blank=True)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    lines = models.JSONField(default=list)
    problem = models.CharField(max_length=300, blank=True)

    class Meta:
        db_table = "provider_check"
        indexes = [
            models.Index(fields=["asked_at"], name="provider_check_by_time"),
            models.Index(fields=["provider", "id"], name="provider_check_by_provider"),
        ]
