"""Where an organization is told of events."""

from __future__ import annotations

from django.db.models import QuerySet

from gateway.models import Organization, WebhookEndpoint


def webhook_endpoints(organization: Organization) -> QuerySet[WebhookEndpoint]:
    return WebhookEndpoint.objects.filter(organization=organization)
