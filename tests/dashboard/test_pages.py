"""The pages for members: who sees what, and that their numbers are the ledger's."""

from __future__ import annotations

import datetime
import re
import time
from decimal import Decimal
from typing import Any

import pytest
import redis
from django.conf import settings
from django.db import OperationalError
from django.test import Client
from django.utils import timezone
from msgspec import UNSET

from admin_api.actions import memberships, model_groups, models
from admin_api.actor import SYSTEM
from admin_api.catalog import Rates, RouteTo
from dashboard.limits import live
from dashboard.overview import usage
from gateway.limit_pools import DEFAULT
from gateway.models import ApiKey, Organization, UsageDay, UsageHour, UsageMinute
from gateway.models.users import Membership
from gateway.scopes import PLACES, state_key
from tests.people import Cast, person

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fresh(valkey: redis.Redis) -> None:
    """Gauges read Valkey."""


def as_(client: Client, user: Any) -> Client:
    client.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[0])
    return client


def freshly(client: Client, user: Any) -> Client:
    """Signed in just now, as what does harm asks for."""
    as_(client, user)
    session = client.session
    session["account_authentication_methods"] = [{"method": "password", "at": time.time()}]
    session["account_authentication_methods_user"] = user.id
    session.save()
    return client


def used(
    organization: Organization, model: str, *, key: str = "apikey_1", hours_ago: float = 0, **sums: Any
) -> None:
    """One row in each rollup, as the drain writes them."""
    at = timezone.now() - datetime.timedelta(hours=hours_ago)
    floors = {
        UsageMinute: at.replace(second=0, microsecond=0),
        UsageHour: at.replace(minute=0, second=0, microsecond=0),
        UsageDay: at.replace(hour=0, minute=0, second=0, microsecond=0),
    }
    for table, bucket in floors.items():
        table.objects.create(
            organization_id=organization.id,
            bucket=bucket,
            workspace_id="wrkspc_1",
            api_key_id=key,
            model=model,
            provider="simulator",
            service_tier="standard",
            context_window="0-200k",
            inference_geo="",
            **sums,
        )


def stats(page: str) -> dict[str, str]:
    return dict(re.findall(r'stat-label">([^<]+)</dt>\s*<dd class="stat-value"[^>]*>([^<]+)</dd>', page))


def test_the_overview_sums_what_the_rollups_hold(client: Client, people: Cast) -> None:
    tokens = {"input_tokens": 1000, "cache_read_tokens": 200, "output_tokens": 34}
    used(people.acme, "model-a", requests=2000, errors=1, cost=Decimal("0.1234567"), **tokens)
    used(people.acme, "model-b", requests=5, cost=Decimal("1.5"), first_tokens=4, time_to_first_token_ms=2000)
    used(people.umbrella, "model-c", requests=999, cost=Decimal(9))
    page = as_(client, people.ada).get("/").content.decode()
    assert stats(page) == {"Requests": "2,005", "Tokens": "1,234", "Cost": "$1.62", "First token": "500 ms"}
    assert 'title="$1.6234567">$1.62<' in page
    assert "&lt;0.1% errors" in page
    assert "model-c" not in page


def test_models_without_a_price_are_flagged(client: Client, people: Cast) -> None:
    priced = Rates(*[Decimal(1)] * 5)
    for name, price in {
        "paid": priced,
        "gratis": Rates(*[Decimal(0)] * 5),
        "bare": UNSET,
        "denied": UNSET,
    }.items():
        models.upsert(actor=SYSTEM, name=name, routes=[RouteTo("simulator", "m")], price=price)
    people.acme.denied_models = ["denied"]
    people.acme.save()
    ada = as_(client, people.ada)

    assert flag(ada) == (
        "No price: bare. What they are used for is recorded and not charged, because nobody has set what they cost."
    )
    used(people.acme, "gone", requests=5, unpriced_requests=1200)
    used(people.acme, "paid", requests=7)
    used(people.umbrella, "theirs", requests=9, unpriced_requests=9)
    assert flag(ada) == (
        "No price: bare, gone. 1,200 requests in the last 24 hours went uncharged, because nobody had set what they"
        " cost."
    )
    assert flag(ada, "/?range=1h") == flag(ada, "/").replace("24 hours", "hour")


def test_where_every_model_has_a_price_nothing_is_flagged(client: Client, people: Cast) -> None:
    used(people.acme, "model-a", requests=3)

    assert flag(as_(client, people.ada)) == ""


def test_many_models_without_a_price_are_counted(client: Client, people: Cast) -> None:
    for number in range(12):
        used(people.acme, f"<m{number:02}>", requests=1, unpriced_requests=1)

    said = flag(as_(client, people.ada))

    assert said.startswith("No price: &lt;m00&gt;, &lt;m01&gt;,")
    assert "&lt;m06&gt; and 5 more. 12 requests in the last 24 hours" in said


def test_plain_users_see_only_what_their_own_keys_used_without_a_price(client: Client, people: Cast) -> None:
    used(people.acme, "others", key="apikey_of_somebody", requests=1, unpriced_requests=1)

    assert flag(as_(client, people.uma)) == ""


def flag(client: Client, path: str = "/") -> str:
    """What the Overview says of models without a price, without its markup."""
    page = client.get(path).content.decode()
    found = re.search(r"<p>(<strong>No price:</strong>.*?)</p>", page)
    return re.sub(r"<[^>]+>", "", found[1]) if found else ""


def test_a_first_tiny_cost_is_neither_nothing_nor_too_wide(client: Client, people: Cast) -> None:
    used(people.acme, "model-a", requests=1, cost=Decimal("0.000176"))
    page = as_(client, people.ada).get("/").content.decode()
    assert 'title="$0.000176">&lt;$0.01<' in page
    assert 'class="chart-total" title="$0.000176">$0.000176<' in page


def test_a_chart_and_its_table_show_the_same(client: Client, people: Cast) -> None:
    used(people.acme, "model-a", requests=30, input_tokens=1)
    used(people.acme, "model-b", requests=12)
    page = as_(client, people.ada).get("/?range=24h").content.decode()
    chart = page[page.index('id="chart-requests"') : page.index('id="chart-tokens"')]
    assert "Requests by model over the last 24 hours: model-a 30, model-b 12." in chart
    assert len(re.findall(r'<g class="chart-bar">', chart)) == 24
    assert re.findall(r'<td class="number">([^<]*)</td>', chart)[-3:] == ["30", "12", "42"]
    tops = re.findall(r'class="series-(\d)" x="(\d+).14" y="([\d.]+)" width="0.72" height="([\d.]+)"', chart)
    assert tops == [
        ("1", "23", "40.000", "60.000"),
        ("2", "23", "16.000", "24.000"),
    ]  # of an axis that ends at 50


@pytest.mark.parametrize(
    ("key", "bars"), [("1h", 60), ("24h", 24), ("7d", 28), ("30d", 30), ("nonsense", 24)]
)
def test_a_range_lives_in_the_address(client: Client, people: Cast, key: str, bars: int) -> None:
    used(people.acme, "model-a", requests=3)
    page = as_(client, people.ada).get(f"/?range={key}").content.decode()
    assert page.count('<g class="chart-bar">') == 3 * bars
    assert stats(page)["Requests"] == "3"


def test_what_happened_before_the_range_is_not_counted(client: Client, people: Cast) -> None:
    used(people.acme, "model-a", requests=3, hours_ago=50)
    client = as_(client, people.ada)
    assert [stats(client.get(f"/?range={key}").content.decode())["Requests"] for key in ("24h", "7d")] == [
        "0",
        "3",
    ]


def test_many_models_share_the_last_colour(client: Client, people: Cast) -> None:
    for n in range(9):
        used(people.acme, f"model-{n}", requests=100 - n)
    page = as_(client, people.ada).get("/").content.decode()
    legend = re.findall(r'legend-name">([^<]+)</span><span class="legend-value" title="([^"]+)"', page)[:6]
    assert legend == [
        ("model-0", "100"),
        ("model-1", "99"),
        ("model-2", "98"),
        ("model-3", "97"),
        ("model-4", "96"),
        ("Other models", "374"),
    ]


def test_plain_users_see_what_their_own_keys_used(client: Client, people: Cast) -> None:
    workspace = people.acme.workspaces.get()
    for owner in (people.uma, people.dev):
        key = ApiKey.objects.create(
            organization=people.acme,
            workspace=workspace,
            kind="api",
            name=owner.name,
            digest=owner.name.encode(),
            hint="",
            created_by=owner,
        )
        used(people.acme, "model-a", key=key.id, requests=10 if owner == people.uma else 500)
    assert stats(as_(client, people.uma).get("/").content.decode())["Requests"] == "10"
    assert stats(as_(client, people.bill).get("/").content.decode())["Requests"] == "510"


def test_no_usage_shows_the_one_next_step(client: Client, people: Cast) -> None:
    page = as_(client, people.ada).get("/").content.decode()
    assert "No requests yet" in page
    assert f"curl {settings.CONFIGURATION.base_url}/v1/messages" in page


def test_somebody_without_an_organization_is_told_what_to_do(client: Client, people: Cast) -> None:
    nora = person("Nora", None, None)
    page = as_(client, nora).get("/").content.decode()
    assert "You do not belong to an organization yet" in page
    assert "nora@example.com" in page


def test_a_foreign_organization_is_as_absent_as_a_random_one(client: Client, people: Cast) -> None:
    client = as_(client, people.ada)
    ids = [str(people.umbrella.id), "00000000-0000-4000-8000-000000000000", "nonsense", ""]
    answers = [client.post("/organization", {"organization": one}) for one in ids]
    assert {answer.status_code for answer in answers} == {404}
    texts = {
        re.sub(r"req_\w+|csrfmiddlewaretoken\" value=\"\w+", "", answer.content.decode())
        for answer in answers
    }
    assert len(texts) == 1
    assert "session" not in {name for answer in answers for name in answer.cookies}


def test_the_chosen_organization_stays_until_the_membership_ends(client: Client, people: Cast) -> None:
    memberships.add(actor=SYSTEM, organization=people.umbrella, user=people.ada, role="user")
    client = as_(client, people.ada)
    assert client.post("/organization", {"organization": str(people.umbrella.id)})["location"] == "/"
    assert client.get("/").context["frame"].place.organization == people.umbrella
    Membership.objects.filter(organization=people.umbrella, user=people.ada).delete()
    assert client.get("/").context["frame"].place.organization == people.acme


def test_a_fragment_is_the_part_alone_and_its_address_a_whole_page(client: Client, people: Cast) -> None:
    client = as_(client, people.ada)
    for path in ("/limits", "/overview/usage?range=7d"):
        part = client.get(path, headers={"hx-request": "true"}).content.decode()
        whole = client.get(path).content.decode()
        assert ("<html" in part, "<html" in whole, "<h1" in whole) == (False, True, True)


def test_gauges_show_each_limit_of_the_organization(client: Client, people: Cast) -> None:
    people.acme.limits = {"input_tokens_per_minute": 1000, "tokens_per_minute": None}
    people.acme.save()
    shown = live.read(people.acme, timezone.now())
    assert [(one.label, one.limit, one.used_percent) for one in shown.meters] == [
        ("Requests per minute", "200", 0),
        ("Input tokens per minute", "1,000", 0),
        ("Concurrent requests", "40", 0),
    ]


def test_held_leases_fill_the_gauge(client: Client, people: Cast, valkey: redis.Redis) -> None:
    soon = (timezone.now().timestamp() + 60) * 1000
    held = state_key(people.acme.id, DEFAULT, "organization", str(people.acme.id)) + PLACES
    valkey.zadd(held, {f"lease{n}": soon for n in range(39)})
    meter = live.read(people.acme, timezone.now()).meters[-1]
    assert (meter.used, meter.used_percent, meter.state) == ("39", 98, "full")
    assert meter.note == "Nearly used up. 1 more may start"


def test_a_group_of_models_has_gauges_while_it_is_used(
    client: Client, people: Cast, valkey: redis.Redis
) -> None:
    model_groups.upsert(actor=SYSTEM, name="opus", display_name="Claude Opus")
    calm = [meter.label for meter in live.read(people.acme, timezone.now()).meters]
    soon = (timezone.now().timestamp() + 60) * 1000
    held = state_key(people.acme.id, "opus", "organization", str(people.acme.id)) + PLACES
    valkey.zadd(held, {f"lease{n}": soon for n in range(4)})

    busy = [meter.label for meter in live.read(people.acme, timezone.now()).meters]

    assert busy == [*calm, *[f"Claude Opus: {label}" for label in calm]]


def test_the_theme_is_a_cookie_and_leads_back(client: Client, people: Cast) -> None:
    client = as_(client, people.ada)
    answer = client.post("/theme", {"theme": "dark", "next": "/?range=7d"})
    assert answer["location"] == "/?range=7d"
    assert '<html lang="en" data-theme="dark">' in client.get("/").content.decode()
    client.post("/theme", {"theme": "system", "next": "//evil.example"})
    assert '<html lang="en">' in client.get("/").content.decode()
    assert client.post("/theme", {"theme": "pink"}).status_code == 400
    assert client.post("/theme", {"theme": "dark", "next": "//evil.example"})["location"] == "/"
    assert client.get("/theme").status_code == 405


def test_a_mistake_of_ours_is_a_calm_page_with_its_request_id(
    people: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = as_(Client(raise_request_exception=False), people.ada)
    for problem, status in ((RuntimeError("secret detail"), 500), (OperationalError("gone"), 503)):
        monkeypatch.setattr(usage, "read", raising(problem))
        answer = client.get("/")
        page = answer.content.decode()
        assert answer.status_code == status
        assert answer["request-id"] in page
        assert "secret detail" not in page and "Traceback" not in page


def raising(problem: Exception) -> Any:
    def read(*args: Any) -> None:
        raise problem

    return read


def test_an_unknown_host_name_is_explained_and_not_repeated(client: Client) -> None:
    answer = client.get("/login", HTTP_HOST="evil.example")
    assert answer.status_code == 400
    assert "GATEWAY_ALLOWED_HOSTS" in answer.content.decode()
    assert "evil.example" not in answer.content.decode()


def test_an_expired_form_is_explained(people: Cast) -> None:
    client = Client(enforce_csrf_checks=True)
    answer = client.post("/login", {"login": "ada@example.com", "password": "x"})
    assert answer.status_code == 403
    assert "This form has expired" in answer.content.decode()


def test_a_page_takes_few_queries(client: Client, people: Cast, django_assert_max_num_queries: Any) -> None:
    used(people.acme, "model-a", requests=3)
    client = as_(client, people.ada)
    # session, user, membership, frame: place, switcher; usage, ever used, keys and waits, models without a price;
    # spend, its limits and alerts, rate limits of the last hour, batches, deliveries: none for each row
    with django_assert_max_num_queries(26):
        client.get("/")
