"""Thresholds of spend limits and of credit: each is told once, of whatever limit, in whatever window."""

from __future__ import annotations

import datetime
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import override_settings
from django.utils import timezone
from pydantic import SecretStr

from admin_api import alerts, webhook_events
from admin_api.actions import api_keys, credit, spend_limits, webhook_endpoints, workspaces
from admin_api.actor import SYSTEM
from gateway.email_url import settings_of
from gateway.models import (
    ApiKey,
    Mail,
    Organization,
    SpendAlert,
    SpendLimit,
    UsageDay,
    User,
    WebhookDelivery,
    WebhookEvent,
    Workspace,
)
from gateway.models.spend_limits import Period
from tests.admin_api.spending import spent
from tests.people import Cast

DAY = datetime.timedelta(days=1)


@pytest.fixture(autouse=True)
def mailing() -> Iterator[None]:
    """Mail leaves here; nothing is sent in these tests."""
    url = "smtp://127.0.0.1:1"
    update = {"email_url": SecretStr(url), "email_settings": settings_of(url)}
    configured = settings.CONFIGURATION.model_copy(update=update)
    with override_settings(CONFIGURATION=configured):
        yield


def key_of(
    organization: Organization, user: User | None = None, workspace: Workspace | None = None
) -> ApiKey:
    return api_keys.create(
        actor=SYSTEM, organization=organization, name="CI", user=user, workspace=workspace
    )[0]


def limit(organization: Organization, amount: int, period: str = "daily", **scope: Any) -> SpendLimit:
    return spend_limits.set_amount(
        actor=SYSTEM, organization=organization, amount=amount, period=period, **scope
    )


def told() -> list[tuple[str, int]]:
    """What the endpoints of all organizations are to be told: ids of limits and thresholds."""
    return sorted((event.data["id"], event.data["threshold"]) for event in WebhookEvent.objects.all())


def hook(organization: Organization) -> None:
    webhook_endpoints.create(
        actor=SYSTEM,
        organization=organization,
        url="https://1.1.1.1/",
        enabled_events=webhook_events.ALERTS,
    )


# --- What is reached ---


def test_a_threshold_is_told_once_when_it_is_reached(people: Cast) -> None:
    hook(people.acme)
    key, daily = key_of(people.acme), limit(people.acme, 1000)
    counts = []
    for cost in ("4.9999", "0.0001", "2.99", "0.01", "1", "1", "5"):
        spent(key, cost)
        counts.append(alerts.tell())

    assert counts == [0, 1, 0, 1, 0, 1, 0]
    assert told() == [(daily.id, 50), (daily.id, 80), (daily.id, 100)]


def test_every_scope_counts_what_is_its_own(people: Cast) -> None:
    hook(people.acme)
    lab = workspaces.create(actor=SYSTEM, organization=people.acme, name="Lab")
    mine, other = key_of(people.acme, people.dev, lab), key_of(people.acme, people.uma)
    scopes = {
        "organization": limit(people.acme, 600),
        "workspace": limit(people.acme, 500, workspace=lab),
        "user": limit(people.acme, 500, user=people.dev),
        "other_user": limit(people.acme, 500, user=people.uma),
    }
    for key, amount in ((mine, 500), (other, 500)):
        api_keys.update(actor=SYSTEM, key=key, spend_limit=api_keys.Cap(amount, "daily"))
    own, others = (key.spend_limits.get().id for key in (mine, other))
    limit(people.umbrella, 1)
    spent(mine, "4")
    spent(other, "1")

    assert alerts.tell() == 8

    assert told() == sorted(
        [
            *((scopes["organization"].id, one) for one in (50, 80)),
            *((scopes[name].id, one) for name in ("workspace", "user") for one in (50, 80)),
            *((own, one) for one in (50, 80)),
        ]
    )
    assert others not in {id for id, _ in told()}


def test_windows_are_days_weeks_and_months_of_utc(people: Cast) -> None:
    hook(people.acme)
    key, now = key_of(people.acme), timezone.now()
    limits = {period: limit(people.acme, 100, period) for period in Period.values}
    starts = {value: Period(value).start(now) for value in Period.values}
    for start in set(starts.values()):
        spent(key, "0.50", start)
        spent(key, "7", start - datetime.timedelta(milliseconds=1))

    alerts.tell()

    within = {
        value: sum(
            (Decimal("0.50") if at in starts.values() else Decimal(7))
            for other in set(starts.values())
            for at in (other, other - datetime.timedelta(milliseconds=1))
            if at >= starts[value]
        )
        for value in Period.values
    }
    expected = [
        (limits[value].id, one)
        for value in Period.values
        for one in (50, 80, 100)
        if within[value] * 100 >= one
    ]
    assert told() == sorted(expected)
    resets = {event.data["period"]: event.data["resets_at"] for event in WebhookEvent.objects.all()}
    assert {period: datetime.datetime.fromisoformat(at) for period, at in resets.items()} == {
        "daily": starts["daily"] + DAY,
        "weekly": starts["weekly"] + 7 * DAY,
        "monthly": (starts["monthly"] + 32 * DAY).replace(day=1),
    }


def test_a_new_window_is_told_anew(people: Cast) -> None:
    hook(people.acme)
    key, daily = key_of(people.acme), limit(people.acme, 100)
    spent(key, "0.60")
    alerts.tell()
    SpendAlert.objects.update(window_start=timezone.now() - 2 * DAY)  # as if that had been another day

    alerts.tell()

    assert told() == [(daily.id, 50)] * 2


def test_raising_a_limit_arms_what_is_out_of_reach_again_and_nothing_else(people: Cast) -> None:
    hook(people.acme)
    key, daily = key_of(people.acme), limit(people.acme, 1000)
    spent(key, "10")
    assert alerts.tell() == 3

    limit(people.acme, 2000)  # 50 % are still reached
    assert alerts.tell() == 0
    spent(key, "6")
    assert alerts.tell() == 1
    limit(people.acme, 1000)  # lowered, and everything is reached that was told before but the whole
    assert alerts.tell() == 1

    assert told() == [(daily.id, one) for one in (50, 80, 80, 100, 100)]


def test_a_bill_that_is_corrected_downwards_makes_no_threshold_news_again(people: Cast) -> None:
    key = key_of(people.acme)
    limit(people.acme, 100)
    spent(key, "0.60")
    alerts.tell()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE usage_day SET cost = 0.40")
    assert alerts.tell() == 0
    spent(key, "0.20")

    assert alerts.tell() == 0
    assert SpendAlert.objects.count() == 1


def test_the_cap_of_a_key_that_is_set_again_tells_nothing_again(people: Cast) -> None:
    key = key_of(people.acme)
    for amount in (100, 100, 110):
        api_keys.update(actor=SYSTEM, key=key, spend_limit=api_keys.Cap(amount, "daily"))
        spent(key, "0.20")
        alerts.tell()

    assert list(SpendAlert.objects.values_list("threshold", "amount")) == [(50, 110)]


def test_nobody_is_told_of_limits_that_are_none_or_nothing(people: Cast) -> None:
    spent(key_of(people.acme), "5")
    limit(people.acme, 0)
    spend_limits.set_amount(actor=SYSTEM, organization=people.acme, amount=None, period="weekly")

    assert alerts.tell() == 0


# --- Credit ---


def test_four_fifths_and_all_of_the_credit_are_told_once_until_more_is_granted(people: Cast) -> None:
    hook(people.acme)
    key = key_of(people.acme)
    credit.adjust(actor=SYSTEM, organization=people.acme, amount=1000)
    credit.begin(actor=SYSTEM, organization=people.acme)
    counts = []
    for cost in ("7.99", "0.01", "2.5"):
        spent(key, cost)
        counts.append(alerts.tell())
    credit.adjust(actor=SYSTEM, organization=people.acme, amount=1000)
    counts.append(alerts.tell())
    spent(key, "6")
    counts.append(alerts.tell())

    assert counts == [0, 1, 1, 0, 1]
    acme = str(people.acme.id)
    assert told() == [(acme, 80), (acme, 80), (acme, 100)]
    last = WebhookEvent.objects.latest("created_at").data
    assert last == {
        "type": "credit.threshold_reached",
        "id": acme,
        "organization_id": acme,
        "threshold": 80,
        "currency": "USD",
        "amount": "2000",
        "spent": "1650",
        "window_starts_at": last["window_starts_at"],
    }


# --- Who is told ---


def test_mails_go_to_admins_to_billing_and_to_the_member_concerned(people: Cast) -> None:
    limit(people.acme, 5000, "monthly", user=people.dev)
    spent(key_of(people.acme, people.dev), "40.129")

    alerts.tell()

    mails = list(Mail.objects.order_by("created_at", "subject", "recipient"))
    assert {(mail.recipient, mail.subject) for mail in mails} == {
        (address, f"{one} % of the monthly spend limit of Member Dev of Acme reached")
        for address in ("ada@example.com", "bill@example.com", "dev@example.com")
        for one in (50, 80)
    }
    start = Period.MONTHLY.start(timezone.now())
    (text,) = {mail.text for mail in mails if mail.subject.startswith("80")}
    assert text == (
        f"Member Dev of Acme has spent $40.13 of $50.00 since {start:%Y-%m-%d} 00:00 UTC: 80 % of the monthly spend"
        " limit.\n\nRequests that may cost more than is left are refused. The limit begins anew at"
        f" {Period.MONTHLY.end(start):%Y-%m-%d} 00:00 UTC.\n\n{settings.CONFIGURATION.base_url}\n"
    )


def test_the_mail_about_all_of_a_limit_says_until_when_requests_are_refused(people: Cast) -> None:
    limit(people.acme, 100, "monthly")
    spent(key_of(people.acme), "1")

    alerts.tell()

    text = Mail.objects.filter(subject__startswith="100").values_list("text", flat=True)[0]
    end = Period.MONTHLY.end(Period.MONTHLY.start(timezone.now()))
    assert (
        f"\n\nRequests that it covers are refused until it begins anew, at {end:%Y-%m-%d} 00:00 UTC.\n"
        in text
    )


def test_who_left_the_organization_is_told_nothing_any_more(people: Cast) -> None:
    spent(key_of(people.acme, people.dev), "0.60")
    SpendLimit.objects.create(organization=people.acme, user=people.dev, period="daily", amount=100)
    people.dev.memberships.all().delete()

    alerts.tell()

    assert set(Mail.objects.values_list("recipient", flat=True)) == {"ada@example.com", "bill@example.com"}


def test_an_event_holds_what_a_program_needs(people: Cast) -> None:
    hook(people.acme)
    weekly = limit(people.acme, 100, "weekly", user=people.dev)
    spent(key_of(people.acme, people.dev), "0.501")

    alerts.tell()

    event = WebhookEvent.objects.get()
    start = Period.WEEKLY.start(timezone.now())
    assert webhook_events.body_of(event) == {
        "id": event.id,
        "type": "event",
        "created_at": event.created_at.isoformat().replace("+00:00", "Z"),
        "data": {
            "type": "spend_limit.threshold_reached",
            "id": weekly.id,
            "organization_id": str(people.acme.id),
            "scope": {"type": "user", "user_id": people.dev.id},
            "period": "weekly",
            "threshold": 50,
            "currency": "USD",
            "amount": "100",
            "spent": "50.1",
            "window_starts_at": f"{start:%Y-%m-%d}T00:00:00Z",
            "resets_at": f"{start + 7 * DAY:%Y-%m-%d}T00:00:00Z",
        },
    }


def test_only_enabled_endpoints_that_want_to_hear_of_it_are_told(people: Cast) -> None:
    of = {"actor": SYSTEM, "organization": people.acme, "url": "https://1.1.1.1/"}
    wanting, _ = webhook_endpoints.create(**of, enabled_events=[webhook_events.SPEND_LIMIT])
    webhook_endpoints.create(**of, enabled_events=[webhook_events.CREDIT])
    off, _ = webhook_endpoints.create(**of, enabled_events=webhook_events.ALERTS)
    webhook_endpoints.update(actor=SYSTEM, endpoint=off, state="disabled")
    hook(people.umbrella)
    limit(people.acme, 100)
    spent(key_of(people.acme), "0.60")

    alerts.tell()

    assert WebhookDelivery.objects.get().endpoint == wanting


# --- Many at once ---


@pytest.mark.usefixtures("django_db_setup")
def test_of_many_processes_that_look_one_tells(committed_people: Cast) -> None:
    acme = committed_people.acme
    hook(acme)
    for number in range(30):
        user = User.objects.create(email=f"{number}@example.com")
        SpendLimit.objects.create(organization=acme, user=user, period="daily", amount=100)
        key = key_of(acme)
        ApiKey.objects.filter(pk=key.pk).update(user=user)
        spent(key, "1")
    counts, barrier = [], threading.Barrier(4)

    def look() -> None:
        barrier.wait()
        try:
            counts.append(alerts.tell())
        finally:
            connection.close()

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(counts) == SpendAlert.objects.count() == WebhookEvent.objects.count() == 90
    assert Mail.objects.count() == 90 * 2  # Ada and Bill: the users are no members


def test_ten_thousand_limits_take_a_fraction_of_a_second(people: Cast) -> None:
    _many(people.acme, keys=10_000, days=5)

    began = time.monotonic()
    assert alerts.tell() == 0
    seconds = time.monotonic() - began

    assert SpendLimit.objects.count() == 10_000
    assert seconds < 5, f"{seconds:.2f} s"


def _many(organization: Organization, *, keys: int, days: int) -> None:
    """Members with a key and a limit each, too high to be reached, who used a model on each of these days."""
    zeros = [field.column for field in UsageDay._meta.concrete_fields if field.default == 0]
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            INSERT INTO gateway_user (id, email, name, password, is_active, is_operator, created_at)
            SELECT 'user_' || n, n || '@example.com', '', '', true, false, now() FROM generate_series(1, {keys}) n;
            INSERT INTO gateway_apikey (id, organization_id, kind, name, digest, hint, status, user_id, created_at,
                                        limits, allowed_models, denied_models, allowed_ips)
            SELECT 'apikey_' || n, '{organization.id}', 'api', 'k', n::text::bytea, 'h', 'active', 'user_' || n, now(),
                   '{{}}', '[]', '[]', '[]' FROM generate_series(1, {keys}) n;
            INSERT INTO gateway_spendlimit (id, organization_id, user_id, period, amount, created_at, updated_at)
            SELECT 'spl_' || n, '{organization.id}', 'user_' || n, (ARRAY['daily', 'weekly', 'monthly'])[n % 3 + 1],
                   10000000, now(), now() FROM generate_series(1, {keys}) n;
            INSERT INTO usage_day (organization_id, bucket, workspace_id, api_key_id, model, provider, service_tier,
                                   context_window, inference_geo, {", ".join(zeros)})
            SELECT '{organization.id}', date_trunc('day', now(), 'UTC') - day * interval '1 day', 'w', 'apikey_' || n,
                   'm', 'p', 's', 'c', 'g', {", ".join("1" for _ in zeros)}
              FROM generate_series(1, {keys}) n, generate_series(0, {days - 1}) day;
            ANALYZE usage_day, gateway_spendlimit, gateway_apikey, gateway_user;
            """
        )


def test_rows_of_windows_that_are_over_are_forgotten(people: Cast) -> None:
    limit(people.acme, 100)
    spent(key_of(people.acme), "0.60")
    alerts.tell()
    fields = {"organization": people.acme, "threshold": 50, "amount": 1}
    long_ago = timezone.now() - 70 * DAY
    SpendAlert.objects.create(limit_id="spl_old", window_start=long_ago, **fields)
    SpendAlert.objects.create(limit_id="", window_start=long_ago, **fields)

    assert alerts.forget() == 1
    assert SpendAlert.objects.exclude(limit_id="spl_old").count() == 2
