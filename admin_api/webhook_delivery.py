"""Sends the events that wait for their endpoints: several endpoints at once, each endpoint one after the other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import msgspec
import structlog
from cryptography.fernet import InvalidToken
from django.db.models import QuerySet
from django.utils import timezone

from admin_api import outbox, webhook_signature
from admin_api.actions import webhook_endpoints
from admin_api.actor import SYSTEM
from admin_api.vault import vault
from admin_api.webhook_client import NotDelivered, WebhookClient
from admin_api.webhook_events import body_of
from gateway.models import WebhookDelivery, WebhookEndpoint

log = structlog.get_logger(__name__)

AT_ONCE = 8
SECONDS = 25.0  # of one round, after which the next one goes on
GIVEN_UP = "Deliveries failed for three days."


def deliver(client: WebhookClient | None = None) -> int:
    """Sends what is due; how many were delivered."""
    client = client or WebhookClient()
    sent, deadline = 0, time.monotonic() + SECONDS
    while time.monotonic() < deadline and (rows := outbox.take(_next_of_each(), AT_ONCE)):
        outcomes = asyncio.run(_all(client, rows))
        sent += sum(_settle(row, problem) for row, problem in zip(rows, outcomes, strict=True))
    return sent


def _next_of_each() -> QuerySet[WebhookDelivery]:
    """One delivery of each enabled endpoint, so that none waits for another one's receiver."""
    enabled = WebhookDelivery.objects.filter(
        state=outbox.State.PENDING,
        next_attempt_at__lte=timezone.now(),
        endpoint__state=WebhookEndpoint.State.ENABLED,
    )
    firsts = enabled.order_by("endpoint_id", "next_attempt_at", "id").distinct("endpoint_id")
    return WebhookDelivery.objects.filter(pk__in=firsts.values("pk")).select_related("event", "endpoint")


async def _all(client: WebhookClient, rows: Sequence[WebhookDelivery]) -> list[str]:
    """Why each was not delivered; empty for those that were."""
    return list(await asyncio.gather(*(_send(client, row) for row in rows)))


async def _send(client: WebhookClient, row: WebhookDelivery) -> str:
    body = msgspec.json.encode(body_of(row.event))
    try:
        secret = vault().decrypt(row.endpoint.encrypted_secret)
        headers = webhook_signature.headers(secret, row.event_id, int(time.time()), body)
        await client.post(row.endpoint.url, headers, body)
    except InvalidToken:
        return "the signing secret cannot be decrypted"
    except NotDelivered as problem:
        return str(problem)
    return ""


def _settle(row: WebhookDelivery, problem: str) -> bool:
    if not problem:
        outbox.delivered(row)
        return True
    last = outbox.failed(row, problem)
    log.warning(
        "webhook_not_delivered",
        event_id=row.event_id,
        endpoint_id=row.endpoint_id,
        error=problem,
        given_up=last,
    )
    if last:
        webhook_endpoints.disable(actor=SYSTEM, endpoint=row.endpoint, reason=GIVEN_UP)
    return False
