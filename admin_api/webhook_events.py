"""What organizations are told of by webhook, in the form of Anthropic's own events."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Sequence

from admin_api.changes import shown
from admin_api.money import CURRENCY, cents
from admin_api.queries.spend_standings import Crossing
from gateway.models import AuditEntry, WebhookDelivery, WebhookEndpoint, WebhookEvent

SPEND_LIMIT, CREDIT = "spend_limit.threshold_reached", "credit.threshold_reached"
AUDIT = "audit_entry.created"
ALERTS = (SPEND_LIMIT, CREDIT)
TYPES = (*ALERTS, AUDIT)
TEST = "webhook_endpoint.test"  # sent to one endpoint when somebody asks, and to be subscribed to by nobody
_IDS = {"workspace": "workspace_id", "user": "user_id", "api_key": "api_key_id"}


def write(events: Sequence[WebhookEvent]) -> None:
    """The events that anybody wants to hear of, with a delivery to each enabled endpoint that does."""
    ids = {event.organization_id for event in events}
    endpoints = defaultdict(list)
    for endpoint in WebhookEndpoint.objects.filter(organization__in=ids, state=WebhookEndpoint.State.ENABLED):
        for type in endpoint.enabled_events:
            endpoints[str(endpoint.organization_id), type].append(endpoint)
    deliveries = [
        WebhookDelivery(event=event, endpoint=endpoint)
        for event in events
        for endpoint in endpoints[str(event.organization_id), event.data["type"]]
    ]
    WebhookEvent.objects.bulk_create({delivery.event_id: delivery.event for delivery in deliveries}.values())
    WebhookDelivery.objects.bulk_create(deliveries)


def of_crossing(one: Crossing) -> WebhookEvent:
    """Not saved. Amounts are US cents, times RFC 3339."""
    told = {"organization_id": one.organization_id, "threshold": one.threshold, "currency": CURRENCY}
    money = {
        "amount": str(one.amount),
        "spent": shown(cents(one.spent)),
        "window_starts_at": _time(one.window_start),
    }
    if one.period is None:
        data = {"type": CREDIT, "id": one.organization_id} | told | money
    else:
        id = {_IDS[one.scope]: one.scope_id} if one.scope in _IDS else {}
        data = (
            {
                "type": SPEND_LIMIT,
                "id": one.limit_id,
                "scope": {"type": one.scope, **id},
                "period": one.period.value,
                "resets_at": _time(one.period.end(one.window_start)),
            }
            | told
            | money
        )
    return WebhookEvent(organization_id=one.organization_id, data=data)


def of_audit_entry(entry: AuditEntry) -> WebhookEvent:
    """Of an organization's entry. Not saved."""
    data = {
        "type": AUDIT,
        "id": str(entry.pk),
        "organization_id": str(entry.organization_id),
        "action": entry.action,
        "actor": {"type": entry.actor_type, "id": entry.actor_id},
        "target": {"type": entry.target_type, "id": entry.target_id},
        "details": entry.details,
        "ip_address": entry.ip_address,
        "user_agent": entry.user_agent,
        "request_id": entry.request_id,
    }
    return WebhookEvent(organization_id=entry.organization_id, data=data)


def body_of(event: WebhookEvent) -> dict[str, object]:
    """As it is sent, with every attempt the same."""
    return {"type": "event", "id": event.id, "created_at": _time(event.created_at), "data": event.data}


def _time(moment: datetime.datetime) -> str:
    return moment.astimezone(datetime.UTC).isoformat().replace("+00:00", "Z")
