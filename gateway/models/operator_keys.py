"""Keys of those who run the installation. Like other keys, only a keyed digest and a hint are stored."""

from __future__ import annotations

import datetime

from django.db import models
from django.utils import timezone

from gateway.models.identifiers import operator_key_id


class OperatorKey(models.Model):
    """A credential for `/platform/v1`: all organizations, providers, models and tiers."""

    id = models.CharField(primary_key=True, max_length=40, default=operator_key_id, editable=False)
    name = models.CharField(max_length=200)
    digest = models.BinaryField(unique=True)
    hint = models.CharField(max_length=64)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.name} ({self.hint})"

    def status_at(self, now: datetime.datetime) -> str:
        """`active`, `expired` or `revoked`."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "active"
