"""What is on its way out of the gateway: a row before it is sent, so that no crash and no outage loses it."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone

from gateway.models.identifiers import mail_id
from gateway.models.organizations import Organization


class Delivery(models.Model):
    """Sent until it is taken: whoever sends it first moves `next_attempt_at` on, so that nobody else does, and a
    crash means another attempt then. `failed` is what was given up. `last_error` holds no secret.
    """

    class State(models.TextChoices):
        PENDING = "pending"
        DELIVERED = "delivered"
        FAILED = "failed"

    state = models.CharField(max_length=9, choices=State, default=State.PENDING)
    attempts = models.SmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(default=timezone.now)
    delivered_at = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        abstract = True


class Mail(Delivery):
    """A mail to one person, in plain text; `organization` is null where it is about their own account. Where there is
    a secret in it, the text is empty and `sealed` is what `gateway.encryption` made of it, gone once the mail is
    delivered or given up."""

    id = models.CharField(primary_key=True, max_length=40, default=mail_id, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, null=True, related_name="+")
    recipient = models.EmailField(max_length=254)
    subject = models.CharField(max_length=300)
    text = models.TextField()
    sealed = models.BinaryField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["next_attempt_at"], condition=Q(state="pending"), name="mail_to_send"),
            models.Index(fields=["created_at"], name="mail_by_age"),
        ]
