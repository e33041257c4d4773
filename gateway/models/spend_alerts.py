"""Which thresholds of a limit have been told of."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone

from gateway.models.organizations import Organization


class SpendAlert(models.Model):
    """`threshold` percent of `amount` US cents were reached in the window that began at `window_start`: told once.

    `limit_id` is a `SpendLimit`'s, and empty for prepaid credit, whose window begins when the organization turned
    prepaid. Where the limit is raised so far that a threshold is not reached any more, its row gets `rearmed_at`,
    and reaching it anew is told again.
    """

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+", db_index=False)
    limit_id = models.CharField(max_length=40, blank=True)
    window_start = models.DateTimeField()
    threshold = models.SmallIntegerField()
    amount = models.BigIntegerField()
    created_at = models.DateTimeField(default=timezone.now)
    rearmed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "limit_id", "window_start", "threshold"],
                condition=Q(rearmed_at=None),
                name="spend_alert_once",
            )
        ]
