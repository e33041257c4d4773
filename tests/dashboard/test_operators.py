"""What operators do in the browser, and what members see of models; nobody else gets in."""

from __future__ import annotations

import datetime
import re
from decimal import Decimal

import pytest
import redis
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from admin_api.actions import memberships, models, organizations, providers, tiers
from admin_api.actor import SYSTEM
from admin_api.catalog import Rates, RouteTo, WeightedKey
from dashboard.catalog import lines
from gateway.circuit_names import circuit_key, circuit_name
from gateway.directory.store import ROUTES
from gateway.metering import partitions
from gateway.models import (
    AuditEntry,
    Model,
    OperatorKey,
    Organization,
    Price,
    Provider,
    ProviderCheck,
    Tier,
    UsageEvent,
)
from tests.dashboard.test_audit_log import text_of
from tests.dashboard.test_pages import as_, freshly
from tests.people import Cast

pytestmark = pytest.mark.django_db
RATES = Rates(*[Decimal(rate) for rate in ("3", "15", "0.3", "3.75", "6")])
ROUTE_FORM = {"route-TOTAL_FORMS": "2", "route-INITIAL_FORMS": "0"}
SETTINGS = {"on_disconnect": "abort", "batches": "emulated"}


@pytest.fixture(autouse=True)
def _fresh(valkey: redis.Redis) -> None:
    """Circuits are read from Valkey."""


def provider(name: str = "p", *keys: str) -> Provider:
    secrets = [WeightedKey(key) for key in keys]
    return providers.upsert(
        actor=SYSTEM, name=name, dialect="anthropic", base_url="http://10.0.0.1", api_keys=secrets
    ).row


def model(name: str = "m", at: str = "p", price: Rates = RATES) -> Model:
    return models.upsert(
        actor=SYSTEM, name=name, routes=[RouteTo(at, "there")], aliases=[f"{name}-alias"], price=price
    ).row


def route(
    number: int, provider: str, there: str = "", priority: int = 1, weight: int = 100
) -> dict[str, str]:
    fields = {"provider": provider, "model": there, "priority": str(priority), "weight": str(weight)}
    return {f"route-{number}-{name}": value for name, value in fields.items()}


def page(client: Client, address: str) -> str:
    return text_of(client.get(address).content.decode())


def last_action() -> tuple[str, str]:
    entry = AuditEntry.objects.latest("id")
    return entry.action, entry.actor_id


# --- What members see ---


def test_members_read_models_and_which_they_may_use(client: Client, people: Cast) -> None:
    provider()
    model("claude-mine")
    model("claude-not-mine")
    organizations.set_models(actor=SYSTEM, organization=people.acme, denied=["claude-not-*"])

    for who in (people.ada, people.dev):
        html = as_(client, who).get("/models?q=mine").content.decode()
        rows = [text_of(f"<main>{row}") for row in re.findall(r"<tr>.*?</tr>", html, re.DOTALL)[1:]]
        assert ["May use" in row for row in rows] == [True, False]
        assert "claude-mine also claude-mine-alias" in rows[0] and "$3 $15" in rows[0]
        assert "http://10.0.0.1" not in html and "Served by" not in html and "Add model" not in html


def test_a_member_reads_of_a_model_nothing_of_the_ways_to_it(client: Client, people: Cast) -> None:
    provider()
    model()
    as_(client, people.dev)

    html = client.get("/models/of/m").content.decode()

    assert "Cache read $0.30" in text_of(html)
    assert not re.search(r"there|Umbrella|/models/edit|/models/price|Routes", html.partition("<main")[2])


def test_a_number_of_models_costs_no_more_queries(client: Client, people: Cast) -> None:
    provider()
    as_(client, people.ada).get("/models")
    numbers = []
    for names in (["a"], ["b", "c", "d", "e"]):
        for name in names:
            model(name)
        with CaptureQueriesContext(connection) as queries:
            client.get("/models")
        numbers.append(len(queries))

    assert numbers[0] == numbers[1]


CHANGES = [
    ("/models/new", {"name": "x", **ROUTE_FORM, **route(0, "p"), **route(1, "")}),
    ("/models/edit/m", {**ROUTE_FORM, **route(0, "p"), **route(1, "")}),
    ("/models/price/m", {"input": "1", "output": "1", "batch_factor": "1"}),
    ("/models/remove/m", {"typed": "m"}),
    ("/models/published-prices", {"model": "m"}),
    ("/providers/new", {"name": "x", "dialect": "anthropic", "base_url": "http://10.0.0.2", **SETTINGS}),
    ("/providers/edit/p", {"dialect": "anthropic", "base_url": "http://10.0.0.2", **SETTINGS}),
    ("/providers/drain/p", {}),
    ("/providers/put-back/p", {}),
    ("/providers/remove/p", {"typed": "p"}),
    ("/providers/keys/add/p", {"key": "sk-1", "weight": "1"}),
    ("/providers/keys/1/remove/p", {}),
    ("/providers/test/p", {"model": "m"}),
    ("/organizations/new", {"name": "New", "tier": "pro"}),
    ("/organizations/{acme}/edit", {"name": "New", "tier": "pro"}),
    ("/organizations/{acme}/suspend", {"typed": "Acme"}),
    ("/organizations/{acme}/resume", {}),
    ("/organizations/{acme}/credit", {"amount": "5"}),
    ("/organizations/{acme}/prepaid", {"prepaid": "1"}),
    ("/tiers/new", {"name": "new"}),
    ("/tiers/of/pro", {"limit-requests_per_minute": "1"}),
    ("/tiers/remove/pro", {"typed": "pro"}),
    ("/operator-keys/new", {"name": "new"}),
    ("/operator-keys/x/revoke", {}),
]


@pytest.mark.parametrize(("address", "form"), CHANGES, ids=[address for address, _ in CHANGES])
def test_an_admin_of_an_organization_changes_nothing_of_the_installation(
    client: Client, people: Cast, address: str, form: dict[str, str]
) -> None:
    provider()
    model()
    before = AuditEntry.objects.count()

    answer = freshly(client, people.ada).post(address.format(acme=people.acme.id), form)

    assert (answer.status_code, AuditEntry.objects.count()) == (404, before)


def test_the_navigation_of_who_belongs_to_nobody_leads_somewhere(client: Client, people: Cast) -> None:
    html = as_(client, people.olga).get("/").content.decode()
    links = re.findall(r'href="(/[^"]*)" data-go', html)

    assert "You run this installation" in html
    assert {*links} == {
        "/models",
        "/audit-log",
        "/settings",
        "/organizations",
        "/tiers",
        "/operator-keys",
    }
    assert [client.get(link).status_code for link in links] == [200] * len(links)


def test_members_have_no_links_of_operators(client: Client, people: Cast) -> None:
    html = as_(client, people.ada).get("/models").content.decode()

    assert 'href="/models"' in html and 'href="/audit-log"' in html
    assert 'href="/tiers"' not in html and "Operator" not in text_of(html)


def test_an_operator_who_is_a_developer_somewhere_keeps_the_pages_of_operators(
    client: Client, people: Cast
) -> None:
    memberships.add(actor=SYSTEM, organization=people.acme, user=people.olga, role="user")
    as_(client, people.olga)

    assert [client.get(address).status_code for address in ("/models", "/audit-log", "/tiers")] == [200] * 3
    assert "Whole installation" not in page(client, "/audit-log")


# --- Providers ---


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


# --- Test calls ---


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


# --- Models and prices ---


def test_a_model_is_made_with_routes_and_then_priced(client: Client, people: Cast) -> None:
    provider()
    provider("q")
    as_(client, people.olga)
    form = {"name": "team/claude", "aliases": "one\ntwo", "max_input_tokens": "200000", **ROUTE_FORM}

    answer = client.post("/models/new", form | route(0, "p") | route(1, "q", "there", priority=2, weight=30))
    assert answer["location"] == "/models/price/team/claude"
    priced = client.post(
        "/models/price/team/claude", {"input": "3", "output": "15.0000000001", "batch_factor": "0.5"}
    )

    made = Model.objects.get(name="team/claude")
    assert priced["location"] == "/models/of/team/claude"
    ways = made.routes.values_list("provider__name", "upstream_model", "priority", "weight")
    assert sorted(ways) == [("p", "team/claude", 1, 100), ("q", "there", 2, 30)]
    assert sorted(made.aliases.values_list("alias", flat=True)) == ["one", "two"]
    price = made.prices.get()
    assert (price.input, price.output, price.cache_read) == (3, Decimal("15.0000000001"), 3)
    assert "$15.0000000001" in page(client, "/models/of/team/claude")


WRONG_MODELS = {
    "no route": (route(0, "") | route(1, ""), "Name at least one provider that serves it."),
    "a name that is taken": ({"name": "m"}, "There is a model of this name already."),
    "another's alias": ({"name": "m-alias"}, "is taken by model"),
    "an alias that is taken": ({"aliases": "m"}, "is taken by model"),
    "a provider that is none": (route(0, "nowhere"), "Select a valid choice"),
    "a route twice": (route(0, "p") | route(1, "p"), "has this provider and model already"),
    "a weight of nothing": (route(0, "p", weight=0), "greater than or equal to 1"),
    "no tokens": ({"max_input_tokens": "0"}, "greater than or equal to 1"),
}


@pytest.mark.parametrize("what", WRONG_MODELS)
def test_a_model_that_cannot_be_is_refused(client: Client, people: Cast, what: str) -> None:
    provider()
    model()
    wrong, words = WRONG_MODELS[what]
    form = {"name": "new", **ROUTE_FORM, **route(0, "p"), **route(1, ""), **wrong}

    answer = as_(client, people.olga).post("/models/new", form)

    assert answer.status_code == 400
    assert words in text_of(answer.content.decode())
    assert Model.objects.filter(origin="configured").count() == 1


def test_a_model_is_edited_and_keeps_its_price(client: Client, people: Cast) -> None:
    provider()
    row = model()
    initial = {"route-TOTAL_FORMS": "3", "route-INITIAL_FORMS": "1"}
    form = {"display_name": "Shown", "aliases": "other", **initial, **route(0, "p", "there", weight=5)}

    as_(client, people.olga).post("/models/edit/m", form | route(1, "") | route(2, ""))

    row.refresh_from_db()
    assert (row.display_name, row.routes.get().weight, row.prices.count()) == ("Shown", 5, 1)
    assert list(row.aliases.values_list("alias", flat=True)) == ["other"]


def test_prices_have_versions_that_begin_at_their_time(client: Client, people: Cast) -> None:
    provider()
    model()
    soon = timezone.now() + datetime.timedelta(days=3)
    as_(client, people.olga)
    form = {"input": "1", "output": "2", "batch_factor": "0.5"}
    client.post("/models/price/m", form | {"effective_at": soon.strftime("%Y-%m-%dT%H:%M")})
    client.post("/models/price/m", form | {"threshold": "200000", "long_input": "4", "long_output": "5"})

    _, scheduled, current = Price.objects.filter(model__name="m").order_by("id")

    assert scheduled.effective_at == soon.replace(second=0, microsecond=0)
    assert (current.long_context_threshold, current.long_context_cache_read) == (200_000, 4)
    text = page(client, "/models/of/m")
    assert text.index("Scheduled") < text.index("In force") < text.index("past")
    assert f"changes {soon:%-d %b %Y}" in page(client, "/models?q=m-alias")


WRONG_PRICES = {
    "below zero": ({"input": "-1"}, "greater than or equal to 0"),
    "too exact": ({"input": "0.00000000001"}, "no more than 10 decimal places"),
    "of the past": ({"effective_at": "2020-01-01T00:00"}, "Lies in the past"),
    "half a long context": ({"threshold": "5"}, "What does a request cost that is longer?"),
    "a factor above one": ({"batch_factor": "2"}, "less than or equal to 1"),
}


@pytest.mark.parametrize("what", WRONG_PRICES)
def test_a_price_that_cannot_be_is_refused(client: Client, people: Cast, what: str) -> None:
    provider()
    model()
    wrong, words = WRONG_PRICES[what]

    answer = as_(client, people.olga).post(
        "/models/price/m", {"input": "1", "output": "1", "batch_factor": "0.5", **wrong}
    )

    assert answer.status_code == 400
    assert words in text_of(answer.content.decode())
    assert Price.objects.filter(model__name="m").count() == 1


def test_a_model_is_removed_once_its_name_is_typed(client: Client, people: Cast) -> None:
    provider()
    model()
    freshly(client, people.olga)

    assert client.post("/models/remove/m", {"typed": "n"}).status_code == 400
    assert client.post("/models/remove/m", {"typed": "m"})["location"] == "/models"
    assert not Model.objects.filter(name="m").exists()


def test_published_prices_are_seen_before_they_are_taken_over(client: Client, people: Cast) -> None:
    providers.upsert(
        actor=SYSTEM, name="a", preset="anthropic", dialect="anthropic", base_url="https://api.anthropic.com"
    )
    for name in ("claude-sonnet-4-5", "claude-haiku-4-5"):
        models.upsert(actor=SYSTEM, name=name, routes=[RouteTo("a", name)], price=RATES)
    wrong = Rates(*[Decimal(99)] * 5)
    models.upsert(
        actor=SYSTEM, name="claude-sonnet-4-5", routes=[RouteTo("a", "claude-sonnet-4-5")], price=wrong
    )
    as_(client, people.olga)

    text = page(client, "/models/published-prices")
    assert "claude-sonnet-4-5 by a/claude-sonnet-4-5" in text and "$99 $3" in text
    client.post("/models/published-prices", {"model": ["claude-sonnet-4-5"]})

    sonnet, haiku = (
        Model.objects.get(name=name, origin="configured")
        for name in ("claude-sonnet-4-5", "claude-haiku-4-5")
    )
    assert sonnet.price is not None and haiku.price is not None
    assert (sonnet.price.input, haiku.price.input) == (3, 3)
    assert last_action() == ("model.changed", people.olga.id)
    assert client.post("/models/published-prices", {}).status_code == 302
    assert client.post("/models/published-prices", {"model": ["nothing"]}).status_code == 400


# --- Organizations ---


def test_an_organization_is_made_with_its_first_admins_link(client: Client, people: Cast) -> None:
    as_(client, people.olga)
    form = {"name": "Globex", "tier": "basic", "admin_email": "hank@example.com"}

    html = client.post("/organizations/new", form).content.decode()

    (link,) = re.findall(r'<code id="invite-link">([^<]+)</code>', html)
    made = Organization.objects.get(name="Globex")
    assert link.startswith(f"{settings.CONFIGURATION.base_url}/invites/")
    assert (made.tier.name, made.invites.get().role) == ("basic", "admin")
    assert link not in client.get(f"/organizations/{made.id}").content.decode()
    again = client.post("/organizations/new", form)
    assert "An organization named" in text_of(again.content.decode())


@pytest.mark.parametrize(
    ("address", "form", "rows"),
    [
        ("/organizations/new", {"tier": "basic", "admin_email": "hank@example.com"}, Organization),
        ("/operator-keys/new", {}, OperatorKey),
    ],
    ids=["organization", "operator key"],
)
def test_a_form_that_is_sent_again_makes_nothing_more(
    client: Client, people: Cast, address: str, form: dict[str, str], rows: type[Organization | OperatorKey]
) -> None:
    freshly(client, people.olga)
    (word,) = re.findall(r'name="once" value="([^"]+)"', client.get(address).content.decode())
    before = rows.objects.count()

    answers = [client.post(address, {"name": "Globex", "once": word, **form}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 302]
    assert rows.objects.count() == before + 1


def test_organizations_are_found_by_name_tier_and_state_page_by_page(client: Client, people: Cast) -> None:
    basic = Tier.objects.get(name="basic")
    made = [organizations.create(actor=SYSTEM, name=f"Co {n}", tier=basic) for n in range(52)]
    organizations.suspend(actor=SYSTEM, organization=made[0])
    as_(client, people.olga)

    def names(query: str) -> list[str]:
        html = client.get(f"/organizations{query}").content.decode()
        return re.findall(r'row-link" href="/organizations/[^"]+">([^<]+)<', html)

    (older,) = re.findall(
        r'rel="next" href="([^"]+)"', client.get("/organizations?tier=basic").content.decode()
    )
    assert names("?tier=basic") + names(older.replace("&amp;", "&")) == [f"Co {n}" for n in range(51, -1, -1)]
    assert names("?q=acme") == ["Acme"]
    assert names("?state=suspended") == ["Co 0"]
    assert sorted(names("?tier=pro")) == ["Acme", "Umbrella"]


def test_limits_models_and_tier_of_an_organization_are_set_at_once(client: Client, people: Cast) -> None:
    provider()
    model()
    form = {
        "name": "Acme",
        "tier": "enterprise",
        "denied_models": "m",
        "limit-requests_per_minute": "1,000",
        "limit-tokens_per_minute": "none",
        "pool1-enqueued_batch_requests": "7",
    }
    as_(client, people.olga)

    answer = client.post(f"/organizations/{people.acme.id}/edit", form)

    people.acme.refresh_from_db()
    assert answer["location"] == f"/organizations/{people.acme.id}"
    assert people.acme.limits == {"requests_per_minute": 1000, "tokens_per_minute": None}
    assert people.acme.group_limits == {"batch": {"enqueued_batch_requests": 7}}
    assert (people.acme.tier.name, people.acme.denied_models) == ("enterprise", ["m"])
    html = client.get(f"/organizations/{people.acme.id}/edit").content.decode()
    assert re.findall(r'name="limit-(\w+)" value="(\w+)"', html) == [
        ("requests_per_minute", "1000"),
        ("tokens_per_minute", "none"),
    ]


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("limit-requests_per_minute", "0", "Expected a whole number from 1, or none."),
        ("limit-requests_per_minute", "many", "Expected a whole number from 1, or none."),
        ("denied_models", "no-such-model", "No model has the name or alias"),
        ("name", "Umbrella", "An organization named"),
    ],
)
def test_settings_that_cannot_be_are_refused_beside_their_field(
    client: Client, people: Cast, field: str, value: str, words: str
) -> None:
    form = {"name": "Acme", "tier": "pro", field: value}

    answer = as_(client, people.olga).post(f"/organizations/{people.acme.id}/edit", form)

    assert (answer.status_code, words in text_of(answer.content.decode())) == (400, True)


def test_an_organization_is_suspended_by_name_and_resumed(client: Client, people: Cast) -> None:
    address = f"/organizations/{people.acme.id}"
    asked = as_(client, people.olga).post(f"{address}/suspend", {"typed": "Acme"})
    freshly(client, people.olga)
    refused = client.post(f"{address}/suspend", {"typed": "Acm"})
    client.post(f"{address}/suspend", {"typed": "Acme"})
    people.acme.refresh_from_db()
    suspended = people.acme.suspended_at
    client.post(f"{address}/resume")
    people.acme.refresh_from_db()

    assert asked["location"].startswith("/reauthenticate")
    assert refused.status_code == 400
    assert suspended is not None
    assert people.acme.suspended_at is None


def test_credit_is_whole_cents_up_and_down(client: Client, people: Cast) -> None:
    address = f"/organizations/{people.acme.id}"
    as_(client, people.olga)
    for amount in ("12.34", "-2.34"):
        client.post(f"{address}/credit", {"amount": amount, "note": "Invoice 17"})
    wrong = [
        client.post(f"{address}/credit", {"amount": amount}).status_code for amount in ("0", "1.234", "x")
    ]
    client.post(f"{address}/prepaid", {"prepaid": "1"})

    text = page(client, address)

    assert wrong == [400, 400, 400]
    assert "$10.00 left" in text and "1,234" in text and "-234" in text and "prepaid since" in text
    client.post(f"{address}/prepaid", {"prepaid": "0"})
    assert "not prepaid" in page(client, address)


# --- Tiers and operator keys ---


def test_a_tier_is_made_edited_and_removed(client: Client, people: Cast) -> None:
    freshly(client, people.olga)
    client.post("/tiers/new", {"name": "gold", "limit-requests_per_minute": "10"})
    made = client.post("/tiers/new", {"name": "gold", "limit-requests_per_minute": "10"})
    client.post(
        "/tiers/of/gold",
        {"limit-requests_per_minute": "20", "pool0-requests_per_minute": "none", "reserve_worst_case": "on"},
    )

    gold = Tier.objects.get(name="gold")
    assert "There is a tier of this name already." in text_of(made.content.decode())
    assert (gold.limits, gold.reserve_worst_case) == ({"requests_per_minute": 20}, True)
    assert gold.group_limits == {"default": {"requests_per_minute": None}}
    assert "20" in page(client, "/tiers")
    assert client.post("/tiers/remove/gold", {"typed": "gold"})["location"] == "/tiers"
    assert not Tier.objects.filter(name="gold").exists()


def test_a_tier_that_is_used_or_standard_stays(client: Client, people: Cast) -> None:
    used = tiers.upsert(actor=SYSTEM, name="used", limits={}).row
    organizations.set_tier(actor=SYSTEM, organization=people.acme, tier=used)
    freshly(client, people.olga)

    answers = [client.post(f"/tiers/remove/{name}", {"typed": name}) for name in ("used", "pro")]

    assert [answer.status_code for answer in answers] == [400, 400]
    assert "organizations are on it" in answers[0].content.decode()
    assert "Remove this tier?" not in client.get("/tiers/of/pro").content.decode()


def test_an_operator_key_is_shown_once_and_revoked(client: Client, people: Cast) -> None:
    freshly(client, people.olga)
    day = timezone.now().date() + datetime.timedelta(days=1)

    html = client.post("/operator-keys/new", {"name": "Terraform", "expires_on": str(day)}).content.decode()

    (secret,) = re.findall(r'<code id="secret">([^<]+)</code>', html)
    key = OperatorKey.objects.get()
    assert key.expires_at is not None and key.expires_at.date() == day + datetime.timedelta(days=1)
    assert secret not in client.get("/operator-keys").content.decode()
    past = client.post("/operator-keys/new", {"name": "x", "expires_on": "2020-01-01"})
    assert "Expected a time in the future" in text_of(past.content.decode())
    client.post(f"/operator-keys/{key.id}/revoke")
    assert "Revoked" in page(client, "/operator-keys")
    assert last_action() == ("operator_key.revoked", people.olga.id)
