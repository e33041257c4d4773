"""Where an organization is told of events."""

from __future__ import annotations

from django.db.models import QuerySet

from gateway.models import Organization, WebhookDelivery, WebhookEndpoint


def webhook_endpoints(organization: Organization) -> QuerySet[WebhookEndpoint]:
    return WebhookEndpoint.objects.filter(organization=organization)


def latest_deliveries(endpoint: WebhookEndpoint, most: int) -> QuerySet[WebhookDelivery]:
    """The newest first, with their events."""
    rows = WebhookDelivery.objects.filter(endpoint=endpoint).select_related("event")
    found: QuerySet[WebhookDelivery] = rows.order_by("-id")[:most]
    return found
