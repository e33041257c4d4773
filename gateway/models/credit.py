"""What organizations paid ahead. Entries are only ever added; a trigger refuses anything else."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from gateway.models.identifiers import credit_entry_id


class CreditEntry(models.Model):
    """One change of an organization's credit by `amount` whole US cents, up or down.

    `actor_type` and `actor_id` are those of the `Actor` who made it. The id of the organization is a plain column, as
    in the ledger: what was paid is told of longer than who paid it.
    """

    id = models.CharField(primary_key=True, max_length=40, default=credit_entry_id, editable=False)
    organization_id = models.UUIDField()
    amount = models.BigIntegerField()
    note = models.CharField(max_length=1000, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    actor_type = models.CharField(max_length=16)
    actor_id = models.CharField(max_length=64, blank=True)

    class Meta:
        db_table = "credit_entry"
        indexes = [models.Index(fields=["organization_id", "created_at", "id"], name="credit_entry_by_age")]
