"""What the Overview tells beside usage: spend and where it leads, the nearest limit, leaders, batches, alerts."""

from __future__ import annotations

import datetime
import re
import uuid
from decimal import Decimal

import pytest
import redis
from django.db import connection
from django.test import Client
from django.utils import timezone

from admin_api.actions import models
from admin_api.actor import SYSTEM
from admin_api.catalog import RouteTo
from admin_api.queries.recent_spend import RecentSpend, recent_spend
from gateway.metering import first_tokens
from gateway.models import Mail, Organization, SpendAlert, SpendLimit, UsageEvent, WebhookEndpoint
from gateway.models.spend_limits import Period
from tests.batches.rows import batch_of
from tests.dashboard.test_limits import blocked, key_of
from tests.dashboard.test_pages import as_, stats, used
from tests.people import Cast

pytestmark = pytest.mark.django_db
NOON = datetime.datetime(2026, 6, 11, 12, tzinfo=datetime.UTC)


@pytest.fixture(autouse=True)
def _fresh(valkey: redis.Redis) -> None:
    """Gauges read Valkey."""


def figures_of(page: str) -> dict[str, tuple[str, str]]:
    """Each figure's value and note."""
    found = re.findall(
        r'figure-label">([^<]+)</dt><dd class="figure-value"[^>]*>([^<]+)</dd>'
        r'<dd class="figure-note[^"]*">([^<]*)<',
        page,
    )
    return {label: (value, note) for label, value, note in found}


def waited(organization: Organization, milliseconds: int, key: str = "apikey_1") -> None:
    """An attempt of now, in the ledger."""
    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE TABLE IF NOT EXISTS usage_event_{now:%Y%m%d} PARTITION OF usage_event"
            f" FOR VALUES FROM ('{now:%Y-%m-%d}') TO ('{now + datetime.timedelta(days=1):%Y-%m-%d}')"
        )
    UsageEvent.objects.create(
        day=now.date(),
        at=now,
        attempt_id=uuid.uuid4(),
        organization_id=organization.id,
        api_key_id=key,
        stream=True,
        status=200,
        latency_ms=9000,
        time_to_first_token_ms=milliseconds,
    )


def test_spend_stands_beside_its_limit_and_tells_where_it_leads(client: Client, people: Cast) -> None:
    SpendLimit.objects.create(organization=people.acme, period="monthly", amount=5000)
    used(people.acme, "m", requests=1, cost=Decimal("40.0000001"))
    used(people.umbrella, "m", requests=1, cost=Decimal(999))

    page = as_(client, people.bill).get("/").content.decode()

    assert figures_of(page)["Spend today"] == ("$40.00", "no limit")
    assert figures_of(page)["This month"] == ("$40.00", "80% of $50.00")
    assert 'title="$40.0000001"' in page
    assert figures_of(page)[next(name for name in figures_of(page) if name.startswith("By "))] == (
        "n/a",
        "after the first full day",
    )


def test_a_month_is_forecast_from_the_last_full_days() -> None:
    ends = Period(Period.MONTHLY).end(datetime.datetime(2026, 6, 1, tzinfo=datetime.UTC))
    spent = RecentSpend(today=Decimal(3), month=Decimal(100), a_day=Decimal(4), month_ends_at=ends)

    assert spent.forecast(NOON) == Decimal(100) + Decimal(4) * Decimal("19.5")
    assert RecentSpend(Decimal(0), Decimal(0), None, ends).forecast(NOON) is None


def test_the_mean_of_full_days_begins_with_the_first_that_had_use(people: Cast) -> None:
    for days, cost in ((0, 50), (1, 6), (2, 3), (40, 1000)):
        used(people.acme, "m", requests=1, hours_ago=24 * days, cost=Decimal(cost))

    assert recent_spend(people.acme, timezone.now()).a_day == Decimal("4.5")


def test_plain_users_read_what_their_own_keys_spent(client: Client, people: Cast) -> None:
    key = key_of(people.acme, people.acme.workspaces.get(), people.uma, name="Mine")
    used(people.acme, "m", key=key.id, requests=1, cost=Decimal(2))
    used(people.acme, "m", key="somebody", requests=1, cost=Decimal(70))
    SpendAlert.objects.create(
        organization=people.acme,
        limit_id="",
        window_start=timezone.now(),
        threshold=80,
        amount=100,
    )

    page = as_(client, people.uma).get("/").content.decode()

    assert figures_of(page)["This month"] == ("$2.00", "no limit")
    assert "$72" not in page and "somebody" not in page
    assert "prepaid credit" not in page


def test_how_long_the_first_token_takes_is_told_by_percentiles_too(client: Client, people: Cast) -> None:
    used(people.acme, "m", requests=20, first_tokens=20, time_to_first_token_ms=20_000)
    for milliseconds in (*range(100, 2000, 100), 9000):
        waited(people.acme, milliseconds)
    waited(people.umbrella, 70_000)

    page = as_(client, people.dev).get("/").content.decode()

    assert stats(page)["First token"] == "1.0 s"
    assert "mean · p50 1.0 s · p95 1.9 s" in page


def test_percentiles_look_at_the_newest_only(people: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_tokens, "MOST", 2)
    for milliseconds in (9000, 100, 200):
        waited(people.acme, milliseconds)
    now = timezone.now()

    found = first_tokens.percentiles(
        people.acme.id, start=now - datetime.timedelta(hours=1), end=now + datetime.timedelta(hours=1)
    )

    assert found == first_tokens.FirstTokens(2, 100, 200)


def test_the_limit_that_was_nearest_in_the_last_hour_is_named(client: Client, people: Cast) -> None:
    models.upsert(actor=SYSTEM, name="known", routes=[RouteTo("simulator", "known")])
    at = timezone.now() - datetime.timedelta(minutes=5)
    used(people.acme, "known", requests=164, hours_ago=5 / 60, input_tokens=10)

    page = as_(client, people.dev).get("/").content.decode()

    assert figures_of(page)["Nearest limit"] == ("82%", f"All models: requests per minute at {at:%H:%M} UTC")


def test_the_costliest_models_and_keys_come_first(client: Client, people: Cast) -> None:
    key = key_of(people.acme, people.acme.workspaces.get(), name="<Nightly>")
    used(people.acme, "small", key="apikey_gone", requests=500, cost=Decimal(1))
    used(people.acme, "large", key=key.id, requests=5, cost=Decimal(3))

    page = as_(client, people.ada).get("/").content.decode()
    tops = [page[page.index(f'id="{id}"') :] for id in ("top-models", "top-keys")]

    names = [re.findall(r'leader-name" title="([^"]+)">', top)[:2] for top in tops]
    assert names == [["large", "small"], ["&lt;Nightly&gt;", "apikey_gone"]]
    assert "5 requests, 75% of the cost" in page
    assert f'href="/api-keys/{key.id}">&lt;Nightly&gt;<' in page


def test_batches_that_run_are_listed_for_those_who_see_them(client: Client, people: Cast) -> None:
    running = batch_of(people.acme, total=10, succeeded=4)
    done = batch_of(people.acme, status="ended", ended_at=timezone.now())

    seen = as_(client, people.dev).get("/").content.decode()

    assert f'href="/batches/{running.id}"' in seen and "4 of 10" in seen
    assert done.id not in seen
    assert running.id not in as_(client, people.bill).get("/").content.decode()


def test_thresholds_that_are_reached_now_are_alerts(client: Client, people: Cast) -> None:
    month = Period(Period.MONTHLY).start(timezone.now())
    limit = SpendLimit.objects.create(organization=people.acme, period="monthly", amount=5000)
    for threshold, start in ((50, month), (80, month), (100, month - datetime.timedelta(days=40))):
        SpendAlert.objects.create(
            organization=people.acme, limit_id=limit.id, window_start=start, threshold=threshold, amount=5000
        )

    page = as_(client, people.bill).get("/").content.decode()

    said = re.findall(r'<p>(\d+% of the [^<]+) <a class="link" href="([^"]+)">', page)
    assert said == [("80% of the monthly limit of $50.00 is spent by the organization.", "/cost")]


def test_admins_are_told_what_cannot_be_delivered(client: Client, people: Cast) -> None:
    WebhookEndpoint.objects.create(
        organization=people.acme, url="https://x.example", disabled_reason="gone", encrypted_secret=b""
    )
    for state in ("failed", "delivered"):
        Mail.objects.create(organization=people.acme, recipient="a@example.com", state=state)
    words = [
        "1 webhook endpoint was disabled because nothing could be delivered there.",
        "1 mail was not delivered in the last day.",
    ]

    told, untold = (as_(client, who).get("/").content.decode() for who in (people.ada, people.dev))

    assert [one in told for one in words] == [True, True]
    assert [one in untold for one in words] == [False, False]


def test_what_limits_refused_in_the_last_hour_is_told(client: Client, people: Cast) -> None:
    blocked(people.acme, key_of(people.acme, people.acme.workspaces.get()))

    assert (
        "<strong>1 request</strong> refused by a rate limit"
        in as_(client, people.dev).get("/").content.decode()
    )


def test_three_steps_lead_to_the_first_answered_request(client: Client, people: Cast) -> None:
    ada = as_(client, people.ada)
    assert done_steps(ada) == []
    key_of(people.acme, people.acme.workspaces.get())
    assert done_steps(ada) == ["Create an API key"]
    used(people.acme, "m", key="k1", requests=2, errors=2)
    assert done_steps(ada) == ["Create an API key", "Send a request"]
    used(people.acme, "m", key="k2", requests=2, errors=1)
    assert "Three steps" not in ada.get("/").content.decode()


def done_steps(client: Client) -> list[str]:
    page = client.get("/").content.decode()
    assert "Three steps to the first answer" in page
    return re.findall(r"Done:</span></span><div><p><strong>([^<]+)<", page)
