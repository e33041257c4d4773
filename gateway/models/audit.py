"""What people and keys did. Rows are only ever added; a trigger refuses anything else."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


class AuditEntry(models.Model):
    """One action. `organization_id` is null for what concerns the whole installation; `details` holds no secret.

    `actor_type` is `user`, `api_key` (an Admin key), `operator_key` or `system` (the command line).
    """

    organization_id = models.UUIDField(null=True)
    at = models.DateTimeField(default=timezone.now)
    actor_type = models.CharField(max_length=16)
    actor_id = models.CharField(max_length=64, blank=True)
    action = models.CharField(max_length=64)
    target_type = models.CharField(max_length=32)
    target_id = models.CharField(max_length=200)
    details = models.JSONField(default=dict)
    ip_address = models.GenericIPAddressField(null=True)
    request_id = models.CharField(max_length=64, blank=True)

    class Meta:
        db_table = "audit_entry"
        indexes = [models.Index(fields=["organization_id", "at", "id"], name="audit_by_time")]
