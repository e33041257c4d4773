"""Celery's part of the Admin API: what is told without anybody asking. Each may run anywhere, and twice at once."""

from __future__ import annotations

from celery import shared_task

from admin_api import alerts, mail_delivery, outbox, webhook_delivery
from gateway.models import Mail, WebhookDelivery, WebhookEvent


@shared_task
def tell_alerts() -> int:
    """Write down which thresholds of spend limits and of credit are newly reached; returns how many."""
    return alerts.tell()


@shared_task
def deliver_mail() -> int:
    """Send the mails that are due; returns how many were delivered."""
    return mail_delivery.deliver()


@shared_task
def deliver_webhooks() -> int:
    """Send the events that are due; returns how many deliveries succeeded."""
    return webhook_delivery.deliver()


@shared_task
def forget_told() -> int:
    """Remove alerts of windows that are over, and deliveries that are long done; returns how many rows."""
    gone = alerts.forget() + outbox.forget([Mail, WebhookDelivery])
    return gone + WebhookEvent.objects.filter(deliveries=None).delete()[0]
