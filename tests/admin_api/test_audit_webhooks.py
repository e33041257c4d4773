"""Lines of the audit log as events: to whoever wants them, of their own organization, in the action's transaction."""

from __future__ import annotations

import pytest
from django.db import transaction

from admin_api import audit, webhook_events
from admin_api.actions import api_keys, webhook_endpoints
from admin_api.actor import SYSTEM, Actor
from gateway.models import AuditEntry, Organization, WebhookDelivery, WebhookEndpoint, WebhookEvent
from tests.people import Cast

pytestmark = pytest.mark.django_db


def endpoint(organization: Organization, *events: str) -> WebhookEndpoint:
    """One that has nothing to tell yet: that it was made is a line, too."""
    made, _ = webhook_endpoints.create(
        actor=SYSTEM, organization=organization, url="https://1.1.1.1/", enabled_events=events
    )
    WebhookEvent.objects.all().delete()
    return made


def test_a_line_is_told_as_it_stands_in_the_log(people: Cast) -> None:
    hook = endpoint(people.acme, webhook_events.AUDIT)
    actor = Actor.user(people.ada, ip_address="192.0.2.7", request_id="req_1", user_agent="curl/8")
    key, secret = api_keys.create(actor=actor, organization=people.acme, name="Build server")

    delivery = WebhookDelivery.objects.select_related("event").get()

    line = AuditEntry.objects.latest("id")
    assert delivery.endpoint_id == hook.id
    assert delivery.event.data == {
        "type": "audit_entry.created",
        "id": str(line.pk),
        "organization_id": str(people.acme.id),
        "action": "api_key.created",
        "actor": {"type": "user", "id": people.ada.id},
        "target": {"type": "api_key", "id": key.id},
        "details": line.details,
        "ip_address": "192.0.2.7",
        "user_agent": "curl/8",
        "request_id": "req_1",
    }
    assert secret not in str(delivery.event.data)


def test_nobody_is_told_who_does_not_want_it_or_belongs_elsewhere(people: Cast) -> None:
    endpoint(people.acme, webhook_events.CREDIT)
    endpoint(people.umbrella, webhook_events.AUDIT)
    api_keys.create(actor=SYSTEM, organization=people.acme, name="Build server")
    audit.record(actor=SYSTEM, action="it.happened", target_type="it", target_id="1")

    assert not WebhookEvent.objects.exists()


def test_what_was_rolled_back_is_not_told(people: Cast) -> None:
    endpoint(people.acme, webhook_events.AUDIT)

    with pytest.raises(RuntimeError), transaction.atomic():
        api_keys.create(actor=SYSTEM, organization=people.acme, name="Build server")
        raise RuntimeError

    assert not WebhookDelivery.objects.exists()
