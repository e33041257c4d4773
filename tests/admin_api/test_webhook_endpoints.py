"""Webhook endpoints over HTTP, as the official SDK makes and reads them."""

from __future__ import annotations

import re
from typing import Any

import anthropic
import pytest

from admin_api import webhook_events
from admin_api.actions import webhook_endpoints
from admin_api.actor import SYSTEM
from gateway.models import AuditEntry, WebhookEndpoint
from tests.admin_api.door import Door, admin_key
from tests.people import Cast

URL = "https://1.1.1.1/hook"
EVENTS: Any = ["credit.threshold_reached", "spend_limit.threshold_reached"]


@pytest.fixture
def client(door: Door, committed_people: Cast) -> anthropic.Anthropic:
    """Which takes types of events that it has no names for, as the SDK does unless it is told to be strict."""
    key = admin_key(committed_people.acme)[1]
    return anthropic.Anthropic(api_key=key, base_url=door.base_url, max_retries=0)


def made(client: anthropic.Anthropic, **fields: Any) -> Any:
    return client.beta.organization.webhooks.create(**({"url": URL, "enabled_events": EVENTS} | fields))


def test_an_endpoint_is_made_and_its_secret_is_shown_once(client: anthropic.Anthropic) -> None:
    new = made(client, name="Finance", description="Books")

    secret = new.signing_secret
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", secret)
    assert new.to_dict() == {
        "id": new.id,
        "url": URL,
        "name": "Finance",
        "description": "Books",
        "enabled_events": ["spend_limit.threshold_reached", "credit.threshold_reached"],
        "state": "enabled",
        "disabled_reason": "",
        "created_at": new.created_at,
        "updated_at": new.updated_at,
        "signing_secret": secret,
    }
    read = client.beta.organization.webhooks.retrieve(new.id)
    assert read.to_dict() == {k: v for k, v in new.to_dict().items() if k != "signing_secret"}
    told = [str(line.details) for line in AuditEntry.objects.all()]
    assert not any(secret.removeprefix("whsec_") in details for details in told)


def test_an_endpoint_is_changed_disabled_and_removed(client: anthropic.Anthropic) -> None:
    it = made(client)
    webhooks = client.beta.organization.webhooks

    changed = webhooks.update(it.id, name="New", state="disabled", url="https://8.8.8.8/", enabled_events=[])
    removed = webhooks.delete(it.id)

    assert (changed.name, changed.state, changed.url) == ("New", "disabled", "https://8.8.8.8/")
    assert changed.enabled_events == it.enabled_events
    assert removed.to_dict() == {"id": it.id, "type": "webhook_endpoint_deleted"}
    with pytest.raises(anthropic.NotFoundError, match="Webhook endpoint not found"):
        webhooks.retrieve(it.id)
    actions = AuditEntry.objects.filter(target_id=it.id).order_by("id").values_list("action", flat=True)
    assert list(actions) == [f"webhook_endpoint.{verb}" for verb in ("created", "changed", "removed")]


def test_a_signing_secret_is_replaced(client: anthropic.Anthropic) -> None:
    it = made(client)

    new = client.beta.organization.webhooks.regenerate_signing_secret(it.id)

    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", new.signing_secret)
    assert new.signing_secret != it.signing_secret


def test_endpoints_are_listed_newest_first_and_page_by_page(client: anthropic.Anthropic) -> None:
    ids = [made(client).id for _ in range(3)]

    assert [one.id for one in client.beta.organization.webhooks.list(limit=2, order="desc")] == ids[::-1]
    with pytest.raises(anthropic.BadRequestError, match="order: "):
        client.beta.organization.webhooks.list(order="asc")


def test_an_organization_has_at_most_thirty_two(client: anthropic.Anthropic, committed_people: Cast) -> None:
    for _ in range(webhook_endpoints.MOST):
        webhook_endpoints.create(
            actor=SYSTEM,
            organization=committed_people.acme,
            url=URL,
            enabled_events=webhook_events.TYPES,
        )

    with pytest.raises(anthropic.BadRequestError, match="at most 32 webhook endpoints"):
        made(client)

    assert WebhookEndpoint.objects.count() == 32


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"url": "http://example.com/"}, "url: expected an https:// address"),
        ({"url": "https://10.0.0.1/"}, "url: expected an address on the internet"),
        ({"enabled_events": []}, "enabled_events: "),
        ({"enabled_events": ["external_key.failed"]}, "enabled_events.0: "),
    ],
)
def test_what_cannot_be_is_refused_by_name(
    client: anthropic.Anthropic, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(anthropic.BadRequestError) as refused:
        made(client, **fields)

    body: Any = refused.value.body
    assert body["error"]["message"].startswith(message)
