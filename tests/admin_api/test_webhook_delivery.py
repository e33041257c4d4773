"""Events on their way to their endpoints: signed as SDKs verify it, sent until they are taken, never lost."""

from __future__ import annotations

import base64
import datetime
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from cryptography.fernet import Fernet
from django.conf import settings
from django.test import override_settings
from django.utils import timezone
from pydantic import SecretStr

from admin_api import outbox, tasks, webhook_events, webhook_signature
from admin_api.actions import webhook_endpoints
from admin_api.actor import SYSTEM
from admin_api.webhook_client import WebhookClient
from admin_api.webhook_delivery import GIVEN_UP, deliver
from gateway.models import AuditEntry, Organization, WebhookDelivery, WebhookEndpoint, WebhookEvent
from tests.admin_api.webhook_receiver import HOST, PUBLIC, Network, Receiver
from tests.people import Cast

URL = f"https://{HOST}/hook"
State = WebhookDelivery.State


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    started = Receiver()
    yield started
    started.close()


@pytest.fixture
def client(receiver: Receiver) -> WebhookClient:
    receiver.requests.clear()
    receiver.answers.clear()
    network = Network(receiver)
    return WebhookClient(resolve=lambda host: [PUBLIC], network=network, trust=receiver.trust, seconds=5)


def endpoint(organization: Organization, url: str = URL) -> tuple[WebhookEndpoint, str]:
    return webhook_endpoints.create(
        actor=SYSTEM, organization=organization, url=url, enabled_events=webhook_events.ALERTS
    )


def event(organization: Organization) -> WebhookEvent:
    made = WebhookEvent(
        organization_id=str(organization.id),
        data={"type": webhook_events.SPEND_LIMIT, "id": "spl_1", "organization_id": str(organization.id)},
    )
    webhook_events.write([made])
    return made


def sent_again() -> None:
    """Time passes until the next attempt."""
    WebhookDelivery.objects.update(next_attempt_at=timezone.now())


def seal(headers: dict[str, str], secret: str, body: bytes) -> str:
    """The signature that the scheme wants, worked out from its text and not by our code."""
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{body.decode()}".encode()
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def test_an_event_arrives_signed(people: Cast, client: WebhookClient, receiver: Receiver) -> None:
    _, secret = endpoint(people.acme)
    told = event(people.acme)

    assert deliver(client) == 1

    ((headers, body),) = receiver.requests
    assert json.loads(body) == webhook_events.body_of(told)
    assert headers["request"] == "POST /hook HTTP/1.1"
    assert headers["content-type"] == "application/json"
    assert headers["webhook-id"] == told.id
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60
    assert headers["webhook-signature"] == seal(headers, secret, body)
    row = WebhookDelivery.objects.get()
    assert (row.state, row.attempts, row.last_error) == (State.DELIVERED, 1, "")
    assert row.delivered_at is not None
    assert deliver(client) == 0
    assert len(receiver.requests) == 1


def test_the_sdk_takes_it_with_the_secret_and_with_no_other(
    people: Cast, client: WebhookClient, receiver: Receiver
) -> None:
    library = pytest.importorskip("standardwebhooks")
    _, secret = endpoint(people.acme)
    told = event(people.acme)
    deliver(client)
    ((headers, body),) = receiver.requests
    sdk = anthropic.Anthropic(api_key="k")

    unwrapped = sdk.beta.webhooks.unwrap(body.decode(), headers=headers, key=secret)

    assert (unwrapped.id, unwrapped.type, unwrapped.data.id) == (told.id, "event", "spl_1")
    for wrong_body, key in (
        (body.decode() + " ", secret),
        (body.decode(), webhook_signature.new_secret()),
    ):
        with pytest.raises(library.webhooks.WebhookVerificationError):
            sdk.beta.webhooks.unwrap(wrong_body, headers=headers, key=key)


def test_the_signature_is_what_the_library_of_the_scheme_makes() -> None:
    headers = webhook_signature.headers(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )

    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("status", ["400 Bad Request", "404 Not Found", "500 Oops", "503 Busy"])
def test_what_is_not_taken_is_sent_again_under_the_same_id(
    people: Cast, client: WebhookClient, receiver: Receiver, status: str
) -> None:
    endpoint(people.acme)
    told = event(people.acme)
    receiver.answers = [f"HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n".encode()]

    assert deliver(client) == 0
    row = WebhookDelivery.objects.get()
    assert (row.state, row.last_error) == (State.PENDING, f"the receiver answered {status[:3]}")
    assert row.next_attempt_at > timezone.now() + datetime.timedelta(seconds=50)
    assert deliver(client) == 0
    sent_again()

    assert deliver(client) == 1
    assert [headers["webhook-id"] for headers, _ in receiver.requests] == [told.id] * 2
    assert WebhookDelivery.objects.get().attempts == 2


def test_what_a_process_took_with_it_is_sent_again(people: Cast, client: WebhookClient) -> None:
    endpoint(people.acme)
    event(people.acme)
    assert len(outbox.take(WebhookDelivery.objects.all(), 1)) == 1  # and the process is killed
    assert deliver(client) == 0
    sent_again()

    assert deliver(client) == 1


def test_after_three_days_an_endpoint_is_disabled_and_says_why(
    people: Cast, client: WebhookClient, receiver: Receiver
) -> None:
    it, _ = endpoint(people.acme)
    event(people.acme)
    event(people.acme)
    receiver.answers = [b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n"] * 30
    WebhookDelivery.objects.update(attempts=len(outbox.PAUSES) - 1)

    deliver(client)

    it.refresh_from_db()
    assert (it.state, it.disabled_reason) == ("disabled", GIVEN_UP)
    assert set(WebhookDelivery.objects.values_list("state", flat=True)) == {State.FAILED}
    line = AuditEntry.objects.get(action="webhook_endpoint.disabled")
    assert (line.actor_type, line.target_id, line.details["reason"]) == ("system", it.id, GIVEN_UP)
    assert sum(outbox.PAUSES) / 60 / 24 > 2.7
    webhook_endpoints.update(actor=SYSTEM, endpoint=it, state="enabled")
    it.refresh_from_db()
    assert (it.state, it.disabled_reason) == ("enabled", "")


def test_a_receiver_that_fails_holds_up_no_other(
    people: Cast, client: WebhookClient, receiver: Receiver
) -> None:
    endpoint(people.acme, "https://unknown.example.com/")  # whose certificate is another one's
    endpoint(people.umbrella)
    for organization in (people.acme, people.umbrella) * 3:
        event(organization)

    assert deliver(client) == 3

    failed = WebhookDelivery.objects.filter(state=State.PENDING)
    assert {(row.endpoint.url, row.attempts) for row in failed} == {("https://unknown.example.com/", 1)}
    assert all(row.last_error.startswith("the receiver's certificate is refused: ") for row in failed)


def test_a_replaced_secret_signs_from_then_on(
    people: Cast, client: WebhookClient, receiver: Receiver
) -> None:
    it, old = endpoint(people.acme)
    event(people.acme)
    new = webhook_endpoints.regenerate_secret(actor=SYSTEM, endpoint=it)

    deliver(client)

    ((headers, body),) = receiver.requests
    assert headers["webhook-signature"] == seal(headers, new, body) != seal(headers, old, body)


def test_a_secret_is_stored_sealed_and_one_that_nothing_opens_waits(
    people: Cast, client: WebhookClient
) -> None:
    it, secret = endpoint(people.acme)
    event(people.acme)
    assert secret.removeprefix("whsec_").encode() not in bytes(it.encrypted_secret)
    update = {"data_encryption_keys": [SecretStr(Fernet.generate_key().decode())]}
    with override_settings(CONFIGURATION=settings.CONFIGURATION.model_copy(update=update)):
        assert deliver(client) == 0

    assert WebhookDelivery.objects.get().last_error == "the signing secret cannot be decrypted"
    sent_again()
    assert deliver(client) == 1


def test_what_waits_for_an_endpoint_that_is_disabled_or_removed_is_never_sent(
    people: Cast, client: WebhookClient, receiver: Receiver
) -> None:
    off, gone = endpoint(people.acme)[0], endpoint(people.acme)[0]
    event(people.acme)
    webhook_endpoints.update(actor=SYSTEM, endpoint=off, state="disabled")
    webhook_endpoints.remove(actor=SYSTEM, endpoint=gone)
    webhook_endpoints.update(actor=SYSTEM, endpoint=off, state="enabled")

    assert deliver(client) == 0
    assert receiver.requests == []


def test_what_was_told_long_ago_is_forgotten_and_what_waits_is_not(
    people: Cast, client: WebhookClient
) -> None:
    endpoint(people.acme)
    old, waiting = event(people.acme), event(people.acme)
    WebhookDelivery.objects.filter(event=old).update(state=State.DELIVERED)
    past: Any = timezone.now() - datetime.timedelta(days=31)
    WebhookDelivery.objects.update(created_at=past)

    assert tasks.forget_told() == 2  # the delivery and the event

    assert list(WebhookEvent.objects.values_list("id", flat=True)) == [waiting.id]
