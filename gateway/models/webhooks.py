"""Where organizations want to be told of events, the events, and what became of telling them."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone

from gateway.models.deliveries import Delivery
from gateway.models.identifiers import webhook_endpoint_id, webhook_event_id
from gateway.models.organizations import Organization


class WebhookEndpoint(models.Model):
    """An https address of an organization, told of the types of events in `enabled_events`.

    `encrypted_secret` is what deliveries are signed with, sealed by the vault. `disabled_reason` says why the gateway
    disabled it, and is empty where people did.
    """

    class State(models.TextChoices):
        ENABLED = "enabled"
        DISABLED = "disabled"

    id = models.CharField(primary_key=True, max_length=40, default=webhook_endpoint_id, editable=False)
    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, related_name="webhook_endpoints", db_index=False
    )
    url = models.CharField(max_length=2000)
    name = models.CharField(max_length=200, blank=True)
    description = models.CharField(max_length=1000, blank=True)
    enabled_events = models.JSONField(default=list)
    state = models.CharField(max_length=8, choices=State, default=State.ENABLED)
    disabled_reason = models.CharField(max_length=200, blank=True)
    encrypted_secret = models.BinaryField()
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["organization", "created_at", "id"], name="webhook_endpoint_by_age")]


class WebhookEvent(models.Model):
    """Something that happened to an organization; `data` as it is sent."""

    id = models.CharField(primary_key=True, max_length=40, default=webhook_event_id, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    data = models.JSONField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["created_at"], name="webhook_event_by_age")]


class WebhookDelivery(Delivery):
    """One event on its way to one endpoint."""

    event = models.ForeignKey(
        WebhookEvent, on_delete=models.CASCADE, related_name="deliveries", db_index=False
    )
    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.CASCADE, related_name="deliveries")

    class Meta:
        indexes = [
            models.Index(
                fields=["endpoint", "next_attempt_at"], condition=Q(state="pending"), name="webhook_to_send"
            )
        ]
        constraints = [models.UniqueConstraint(fields=["event", "endpoint"], name="webhook_delivery_once")]
