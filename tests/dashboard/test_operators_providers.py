"""Providers as operators have them: set up, drained, their keys, their health, and test calls."""

from __future__ import annotations

import datetime
import re

import pytest
import redis
from django.db import connection
from django.test import Client
from django.utils import timezone

from admin_api.actions import models, providers
from admin_api.actor import SYSTEM
from dashboard.catalog import lines
from gateway.circuit_names import circuit_key, circuit_name
from gateway.directory.store import ROUTES
from gateway.metering import partitions
from gateway.models import AuditEntry, Organization, Provider, ProviderCheck, UsageEvent
from tests.dashboard.operated import SETTINGS, last_action, model, page, provider
from tests.dashboard.test_audit_log import text_of
from tests.dashboard.test_pages import as_, freshly
from tests.people import Cast

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey")]  # circuits are read from Valkey


def test_a_provider_is_set_up_and_its_key_never_shown(client: Client, people: Cast) -> None:
    secret = "sk-of-the-provider-0123456789abcd"
    as_(client, people.olga)
    form = {"name": "groq-eu", "preset": "groq", "key": secret, "idle": "12.5", **SETTINGS}

    answer = client.post("/providers/new", form)

    made = Provider.objects.get(name="groq-eu")
    assert answer["location"] == "/providers/of/groq-eu"
    assert (made.dialect, made.base_url, made.idle_timeout) == (
        "openai",
        "https://api.groq.com/openai/v1",
        12.5,
    )
    assert made.keys.get().api_key_hint == "abcd"
    for address in ("/models", "/providers/of/groq-eu", "/providers/edit/groq-eu"):
        assert secret[:16] not in client.get(address).content.decode()
    assert "…abcd" in page(client, "/models")
    told = page(client, "/providers/of/groq-eu")
    assert "Dialect OpenAI Chat Completions" in told
    assert (
        "When a client leaves Stop the provider&#x27;s answer Message batches One request at a time" in told
    )
    assert last_action() == ("provider.created", people.olga.id)


WRONG_PROVIDERS = {
    "a name with a space": ({"name": "a b"}, "a name of 1 to 64 characters without spaces"),
    "a name that is taken": ({"name": "p"}, "There is a provider of this name already."),
    "no dialect": ({"dialect": ""}, "Choose how this provider speaks."),
    "an address with a password": ({"base_url": "http://u:p@x/v1"}, "without a user name or password"),
    "no address": ({"base_url": ""}, "This vendor has no address of its own"),
    "a key with a space": ({"key": "sk 1"}, "printable characters without spaces"),
    "seconds below zero": ({"connect": "-1"}, "Expected seconds, above 0"),
    "batches of another dialect": (
        {"dialect": "openai", "base_url": "http://x/v1", "batches": "native"},
        "Only a provider of the anthropic dialect",
    ),
    "the simulator's": ({"name": "simulator"}, "There is a provider of this name already."),
}


@pytest.mark.parametrize("what", WRONG_PROVIDERS)
def test_a_provider_that_cannot_be_is_refused_beside_its_field(
    client: Client, people: Cast, what: str
) -> None:
    provider()
    wrong, words = WRONG_PROVIDERS[what]
    form = {"name": "q", "dialect": "anthropic", "base_url": "http://10.0.0.9", **SETTINGS, **wrong}

    answer = as_(client, people.olga).post("/providers/new", form)

    assert answer.status_code == 400
    assert words in text_of(answer.content.decode())
    assert not Provider.objects.filter(name__in=["q", "a b"]).exists()


def test_a_provider_is_edited_and_what_the_form_does_not_have_stays(client: Client, people: Cast) -> None:
    provider("p", "sk-of-the-provider-0123456789abcd")
    form = {
        "dialect": "anthropic",
        "base_url": "https://other.example.com/v1/",
        **SETTINGS,
        "batches": "native",
    }

    as_(client, people.olga).post("/providers/edit/p", form)

    row = Provider.objects.get(name="p")
    assert (row.base_url, row.batches, row.keys.count()) == ("https://other.example.com", "native", 1)


def test_keys_come_and_go_one_by_one(client: Client, people: Cast) -> None:
    row = provider("p", "sk-of-the-provider-0123456789abcd")
    freshly(client, people.olga)
    client.post("/providers/keys/add/p", {"key": "sk-of-the-provider-0123456789wxyz", "weight": "7"})
    twice = client.post("/providers/keys/add/p", {"key": "sk-of-the-provider-0123456789wxyz", "weight": "7"})
    first, second = row.keys.all()

    client.post(f"/providers/keys/{first.pk}/remove/p")

    assert (second.weight, second.position) == (7, 1)
    assert "This provider has this key already" in text_of(twice.content.decode())
    assert [key.api_key_hint for key in row.keys.all()] == ["wxyz"]
    assert client.post(f"/providers/keys/{first.pk}/remove/p").status_code == 404


def routed() -> set[str]:
    """Names of the providers that the data plane sends requests to."""
    with connection.cursor() as cursor:
        cursor.execute(ROUTES)
        names = [column.name for column in cursor.description]
        return {dict(zip(names, row, strict=True))["provider"] for row in cursor.fetchall()}


def test_a_drained_provider_gets_no_requests_until_it_is_put_back(client: Client, people: Cast) -> None:
    provider()
    model()
    freshly(client, people.olga)
    seen = ["p" in routed()]
    for verb in ("drain", "drain", "put-back"):
        client.post(f"/providers/{verb}/p")
        seen.append("p" in routed())

    assert seen == [True, False, False, True]
    actions = AuditEntry.objects.filter(action__in=["provider.drained", "provider.put_back"])
    assert list(actions.order_by("id").values_list("action", flat=True)) == [
        "provider.drained",
        "provider.put_back",
    ]


def test_what_only_a_drained_provider_serves_is_flagged(client: Client, people: Cast) -> None:
    model(at=provider().name)
    providers.drain(actor=SYSTEM, provider=Provider.objects.get(name="p"))
    as_(client, people.olga)

    assert "Drained" in page(client, "/models") and "Not served" in page(client, "/models?q=m-alias")
    assert "Nobody serves this model at the moment" in page(client, "/models/of/m")
    assert "Nobody serves" not in page(as_(client, people.ada), "/models/of/m")


@pytest.mark.parametrize(
    ("verb", "form"), [("drain", {}), ("remove", {"typed": "p"}), ("keys/1/remove", {})], ids=str
)
def test_harm_to_a_provider_asks_who_it_is(
    client: Client, people: Cast, verb: str, form: dict[str, str]
) -> None:
    provider()

    answer = as_(client, people.olga).post(f"/providers/{verb}/p", form)

    assert answer["location"].startswith("/reauthenticate")
    assert Provider.objects.get(name="p").drained_at is None


def test_a_provider_is_removed_once_its_name_is_typed_and_no_model_needs_it(
    client: Client, people: Cast
) -> None:
    provider()
    row = model()
    freshly(client, people.olga)

    assert "Type the provider" in text_of(client.post("/providers/remove/p", {}).content.decode())
    needed = client.post("/providers/remove/p", {"typed": "p"})
    assert (needed.status_code, "would have no route left" in needed.content.decode()) == (400, True)
    models.remove(actor=SYSTEM, model=row)
    assert client.post("/providers/remove/p", {"typed": "p"})["location"] == "/models"
    assert not Provider.objects.filter(name="p").exists()


def test_the_simulator_can_be_drained_and_not_removed(client: Client, people: Cast) -> None:
    html = freshly(client, people.olga).get("/providers/of/simulator").content.decode()

    assert "Drain this provider?" in html and "Remove this provider?" not in html
    assert client.post("/providers/remove/simulator", {"typed": "simulator"}).status_code == 400


def event(organization: Organization, number: int, **fields: object) -> UsageEvent:
    usual = {"status": 200, "latency_ms": 1000, "provider": "p", "at": timezone.now()} | fields
    return UsageEvent(
        day=usual["at"].date(),
        attempt_id=f"01900000-0000-7000-8000-{number:012x}",
        request_id=f"req_{number}",
        organization_id=organization.id,
        workspace_id="w",
        api_key_id="k",
        endpoint="messages",
        model_requested="m",
        model="m",
        upstream_model="there",
        stream=True,
        usage_source="reported",
        service_tier="standard",
        **usual,
    )


def test_health_tells_of_the_last_hour_of_all_tenants(client: Client, people: Cast) -> None:
    provider()
    rows = [event(people.acme, n, latency_ms=100 * n, time_to_first_token_ms=10 * n) for n in range(1, 20)]
    rows.append(event(people.umbrella, 20, status=529, latency_ms=90_000))
    rows.append(event(people.umbrella, 21, status=400, latency_ms=90_000))  # the caller's own mistake
    rows.append(event(people.acme, 22, at=timezone.now() - datetime.timedelta(minutes=61), status=500))
    with connection.cursor() as cursor:
        partitions.ensure(cursor, {row.day for row in rows})
    UsageEvent.objects.bulk_create(rows)

    (shown,) = lines.providers(Provider.objects.filter(name="p").prefetch_related("keys"))

    assert shown.health is not None
    assert (shown.health.attempts, shown.health.failed) == (21, 1)
    assert (shown.p95, shown.first_token_p95, shown.errors) == ("1.8 s", "181 ms", "4.8%")
    assert shown.state == ("Healthy", "good")


def test_circuits_are_shown_as_all_processes_know_them(
    client: Client, people: Cast, valkey: redis.Redis
) -> None:
    row = provider("p", "sk-of-the-provider-0123456789abcd")
    model()
    name = circuit_name("p", str(row.keys.get().pk), "there")
    seconds, micro = valkey.time()
    as_(client, people.olga)
    seen = []
    for until in (0, 60, -1):
        if until:
            valkey.hset(circuit_key(name), "open", round((seconds + until) * 1000 + micro / 1000))
        text = page(client, "/providers/of/p")
        seen.append(re.findall(r"there …abcd (Closed|Open for \d+ s|Half open)", text))

    assert [state[0].partition(" for")[0] for state in seen] == ["Closed", "Open", "Half open"]
    assert "Circuit open" in page(client, "/models") and "1 of 1 open" in page(client, "/models")


def test_without_valkey_the_pages_are_there_and_circuits_unknown(
    client: Client, people: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider()
    model()

    def away(names: object) -> None:
        raise redis.ConnectionError("away")

    monkeypatch.setattr("gateway.circuit_gauges.read", away)

    assert "unknown" in page(as_(client, people.olga), "/models")


def test_the_table_of_providers_refreshes_itself(client: Client, people: Cast) -> None:
    provider()
    as_(client, people.olga)

    fragment = client.get("/models/health", headers={"HX-Request": "true"}).content.decode()

    assert 'id="providers"' in fragment and "<html" not in fragment and "/providers/of/p" in fragment


def test_a_test_call_waits_for_a_worker_and_tells_what_came(client: Client, people: Cast) -> None:
    provider()
    as_(client, people.olga)

    address = client.post("/providers/test/p", {"model": "there"})["location"]

    check = ProviderCheck.objects.get()
    assert (check.provider, check.model, check.asked_by) == ("p", "there", people.olga.id)
    assert last_action() == ("provider.tested", people.olga.id)
    assert "Waiting for a worker" in page(client, address)
    ProviderCheck.objects.update(asked_at=timezone.now() - datetime.timedelta(seconds=20))
    assert "No worker has taken this up yet." in page(client, address)
    call = {
        "model": "m",
        "upstream_model": "there",
        "key": "none",
        "stream": True,
        "total_ms": 5,
        "first_ms": None,
    }
    failed = {"ok": False, "status": None, "kind": "connection refused", "message": "<b>10.0.0.1</b>"}
    ProviderCheck.objects.update(
        started_at=timezone.now(), ended_at=timezone.now(), lines=[{**call, **failed}]
    )
    html = client.get(address).content.decode()
    assert "1 of 1 calls failed." in text_of(html) and "connection refused" in html
    assert "<b>10" not in html and 'hx-trigger="every 1s"' not in html


def test_a_test_call_of_another_provider_is_not_there(client: Client, people: Cast) -> None:
    provider()
    provider("q")
    as_(client, people.olga)
    address = client.post("/providers/test/p", {"model": ""})["location"]

    assert client.get(address.replace("/p", "/q").replace("/qroviders", "/providers")).status_code == 404
