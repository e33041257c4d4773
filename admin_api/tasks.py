"""Celery's part of the Admin API: what is told without anybody asking. Each may run anywhere, and twice at once."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from admin_api import alerts, mail_delivery, outbox, webhook_delivery
from admin_api.actions import passwords
from gateway.models import BrowserSession, Mail, WebhookDelivery, WebhookEvent


@shared_task
def tell_alerts() -> int:
    """Write down which thresholds of spend limits and of credit are newly reached; returns how many."""
    return alerts.tell()


@shared_task
def deliver_mail() -> int:
    """Send the mails that are due, answers to forgotten passwords among them; returns how many were delivered."""
    passwords.answer_by_mail()
    return mail_delivery.deliver()


@shared_task
def deliver_webhooks() -> int:
    """Send the events that are due; returns how many deliveries succeeded."""
    return webhook_delivery.deliver()


@shared_task
def forget_told() -> int:
    """Remove alerts of windows and sessions that are over, and deliveries that are long done; returns how many rows."""
    gone = alerts.forget() + outbox.forget([Mail, WebhookDelivery])
    gone += BrowserSession.objects.filter(expire_date__lt=timezone.now()).delete()[0]
    return gone + WebhookEvent.objects.filter(deliveries=None).delete()[0]
