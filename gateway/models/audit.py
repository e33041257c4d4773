"""What people and keys did. Rows are only ever added; triggers refuse anything else, and chain entry to entry."""

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
    user_agent = models.CharField(max_length=300, blank=True, db_default="")

    class Meta:
        db_table = "audit_entry"
        indexes = [models.Index(fields=["organization_id", "at", "id"], name="audit_by_time")]


class AuditLink(models.Model):
    """An entry's place in the chain of its organization (the zero UUID is the whole installation's).

    `hash` is the SHA-256 of the link before it and of all that the entry says. PostgreSQL writes it when the
    entry's transaction commits (migration 0015); there is no foreign key, so that a link outlives an entry that
    somebody takes out, and tells of it.
    """

    entry_id = models.BigIntegerField(primary_key=True)
    chain = models.UUIDField()
    position = models.BigIntegerField()
    previous_hash = models.BinaryField()
    hash = models.BinaryField()

    class Meta:
        db_table = "audit_link"
        constraints = [models.UniqueConstraint(fields=["chain", "position"], name="audit_link_in_order")]
