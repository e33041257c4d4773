"""Budgets on Cost: set, seen, changed and removed by who looks after money; and asked for by everybody."""

from __future__ import annotations

import datetime
import re
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from admin_api import alerts
from admin_api.actions import api_keys, spend_limits
from admin_api.actions.api_keys import Cap
from admin_api.actor import SYSTEM
from admin_api.queries.budgets import budgets
from dashboard.reports.budgets import MOST
from gateway.models import ApiKey, AuditEntry, Organization, SpendAlert, SpendLimit, SpendLimitIncreaseRequest
from gateway.models.spend_limits import Period
from tests.admin_api.spending import spent
from tests.dashboard.test_pages import as_, freshly
from tests.people import Cast

pytestmark = pytest.mark.django_db


def key_of(organization: Organization, **more: Any) -> ApiKey:
    return api_keys.create(actor=SYSTEM, organization=organization, name="ci-runner", **more)[0]


def held(organization: Organization) -> list[tuple[str, str, int | None]]:
    found = [
        (one.scope["type"], one.period, one.amount)
        for one in SpendLimit.objects.filter(organization=organization)
    ]
    return sorted(found, key=str)


@pytest.mark.parametrize("who", ["ada", "bill"])
def test_a_budget_is_set_for_each_kind_of_scope(client: Client, people: Cast, who: str) -> None:
    key = key_of(people.acme)
    as_(client, getattr(people, who))
    workspace = people.acme.workspaces.get()
    for scope in ("organization", f"workspace:{workspace.id}", f"user:{people.dev.id}", f"api_key:{key.id}"):
        answer = client.post("/cost/budgets/new", {"scope": scope, "period": "weekly", "amount": "12.34"})
        assert answer["location"] == "/cost"
    assert held(people.acme) == [
        (scope, "weekly", 1234) for scope in ("api_key", "organization", "user", "workspace")
    ]
    assert AuditEntry.objects.filter(actor_id=getattr(people, who).id).count() == 4


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"amount": "-1"}, "greater than or equal to 0"),
        ({"amount": "1.234"}, "no more than 2 decimal places"),
        ({"amount": "1e30"}, "less than or equal to"),
        ({"amount": ""}, "required"),
        ({"period": "yearly"}, "Select a valid choice"),
        ({"scope": "workspace:wrkspc_none"}, "Select a valid choice"),
        ({"scope": "api_key:\x00"}, "Select a valid choice"),
    ],
)
def test_what_is_no_budget_is_said_at_its_field(
    client: Client, people: Cast, typed: dict[str, str], said: str
) -> None:
    as_(client, people.ada)
    right = {"scope": "organization", "period": "daily", "amount": "1"}
    answer = client.post("/cost/budgets/new", {**right, **typed})
    assert answer.status_code == 200
    assert said in answer.content.decode()
    assert held(people.acme) == []


def test_an_amount_is_changed_and_a_budget_removed_after_a_fresh_sign_in(
    client: Client, people: Cast
) -> None:
    limit = spend_limits.set_amount(actor=SYSTEM, organization=people.acme, period="monthly", amount=5000)
    as_(client, people.bill)
    assert 'value="50.00"' in client.get(f"/cost/budgets/{limit.id}").content.decode()
    client.post(f"/cost/budgets/{limit.id}", {"amount": "70"})
    assert held(people.acme) == [("organization", "monthly", 7000)]
    stale = client.post(f"/cost/budgets/{limit.id}/remove", {"next": f"/cost/budgets/{limit.id}"})
    assert stale["location"].startswith("/reauthenticate")
    assert held(people.acme) == [("organization", "monthly", 7000)]
    assert freshly(client, people.bill).post(f"/cost/budgets/{limit.id}/remove")["location"] == "/cost"
    assert held(people.acme) == []


def test_a_keys_budget_is_changed_and_removed_like_any_other(client: Client, people: Cast) -> None:
    key_of(people.acme, spend_limit=Cap(300, "daily"))
    id = SpendLimit.objects.get().id
    freshly(client, people.ada)
    client.post(f"/cost/budgets/{id}", {"amount": "4"})
    assert held(people.acme) == [("api_key", "daily", 400)]
    client.post(f"/cost/budgets/{id}/remove")
    assert held(people.acme) == []


@pytest.mark.parametrize("who", ["dev", "uma"])
def test_others_neither_see_forms_nor_may_send_them(client: Client, people: Cast, who: str) -> None:
    limit = spend_limits.set_amount(actor=SYSTEM, organization=people.acme, period="daily", amount=100)
    asked = SpendLimitIncreaseRequest.objects.create(
        organization=people.acme, user=people.uma, period="daily"
    )
    freshly(client, getattr(people, who))
    paths = [
        "/cost/budgets/new",
        f"/cost/budgets/{limit.id}",
        f"/cost/budgets/{limit.id}/remove",
        f"/cost/requests/{asked.id}",
    ]
    typed = {"scope": "organization", "period": "daily", "amount": "9", "deny": "1"}
    assert [client.post(path, typed).status_code for path in paths] == [403] * 4
    assert held(people.acme) == [("organization", "daily", 100)]
    asked.refresh_from_db()
    assert asked.status == "pending"


def test_what_is_another_organizations_is_not_there(client: Client, people: Cast) -> None:
    limit = spend_limits.set_amount(actor=SYSTEM, organization=people.acme, period="daily", amount=100)
    asked = SpendLimitIncreaseRequest.objects.create(
        organization=people.acme, user=people.uma, period="daily"
    )
    freshly(client, people.mallory)
    for path in (f"/cost/budgets/{limit.id}", f"/cost/requests/{asked.id}"):
        assert client.get(path).status_code == 404
        assert client.post(path, {"amount": "9"}).status_code == 404
    assert client.post(f"/cost/budgets/{limit.id}/remove").status_code == 404
    assert "No budgets yet" in client.get("/cost").content.decode()
    scopes = client.get("/cost/budgets/new").content.decode()
    assert people.dev.id not in scopes and people.acme.workspaces.get().id not in scopes


def test_budgets_show_how_far_they_are_and_who_was_told(client: Client, people: Cast) -> None:
    key = key_of(people.acme, user=people.dev, spend_limit=Cap(100, "daily"))
    for amount, of in ((1000, {}), (90, {"user": people.dev})):
        spend_limits.set_amount(actor=SYSTEM, organization=people.acme, period="monthly", amount=amount, **of)
    spend_limits.set_amount(actor=SYSTEM, organization=people.umbrella, period="monthly", amount=1)
    spent(key, "0.85")
    alerts.tell()
    found = {one.name: (one.spent, sorted(one.told)) for one in budgets(people.acme, timezone.now())}
    assert {name: (f"{cost:.2f}", told) for name, (cost, told) in found.items()} == {
        "Whole organization": ("0.85", []),
        "Dev": ("0.85", [50, 80]),
        "ci-runner": ("0.85", [50, 80]),
    }
    text = as_(client, people.dev).get("/cost").content.decode()
    words = re.sub(r"<[^>]+>", " ", text[text.index("budgets-title") :])
    assert "told at 50% and 80%" in words
    assert "85%. $0.15 left." in words
    assert "94%. $0.05 left." in words


def test_an_alert_of_the_days_before_is_not_todays(people: Cast) -> None:
    limit = spend_limits.set_amount(actor=SYSTEM, organization=people.acme, period="daily", amount=100)
    now = timezone.now()
    monday = Period.WEEKLY.start(now)
    wednesday = monday + datetime.timedelta(days=2, hours=12)
    SpendAlert.objects.create(
        organization=people.acme, limit_id=limit.id, window_start=monday, threshold=50, amount=100
    )
    (on_wednesday,) = budgets(people.acme, wednesday)
    (on_monday,) = budgets(people.acme, monday)
    assert (sorted(on_wednesday.told), sorted(on_monday.told)) == ([], [50])


def test_a_member_asks_and_whoever_looks_after_money_approves(client: Client, people: Cast) -> None:
    spend_limits.set_amount(actor=SYSTEM, organization=people.acme, period="monthly", amount=2000)
    as_(client, people.uma)
    assert "Ask for more" in client.get("/usage").content.decode()
    typed = {"period": "monthly", "reason": "<b>Launch</b> week"}
    assert client.post("/usage/ask", typed)["location"] == "/usage/ask"
    again = client.post("/usage/ask", typed).content.decode()
    assert "pending already" in again and "&lt;b&gt;Launch&lt;/b&gt; week" in again
    asked = SpendLimitIncreaseRequest.objects.get()
    as_(client, people.bill)
    seen = client.get("/cost").content.decode()
    assert "&lt;b&gt;Launch&lt;/b&gt; week" in seen and f"/cost/requests/{asked.id}" in seen
    assert 'value="20.00"' in client.get(f"/cost/requests/{asked.id}").content.decode()
    assert client.post(f"/cost/requests/{asked.id}", {"amount": "35.50"})["location"] == "/cost"
    asked.refresh_from_db()
    assert asked.status == "approved"
    assert ("user", "monthly", 3550) in held(people.acme)
    assert "approved" in as_(client, people.uma).get("/usage/ask").content.decode()
    assert "of $35.50 a month" in re.sub(r"<[^>]+>", "", client.get("/usage").content.decode())


def test_a_request_is_denied_once_and_not_approved_after(client: Client, people: Cast) -> None:
    asked = SpendLimitIncreaseRequest.objects.create(
        organization=people.acme, user=people.uma, period="weekly"
    )
    as_(client, people.ada)
    client.post(f"/cost/requests/{asked.id}", {"deny": "1"})
    asked.refresh_from_db()
    assert asked.status == "denied"
    late = client.post(f"/cost/requests/{asked.id}", {"amount": "5"})
    assert late.status_code == 200 and "denied already" in late.content.decode()
    assert held(people.acme) == []


def test_of_many_budgets_the_fullest_are_shown_and_all_where_asked_for(client: Client, people: Cast) -> None:
    """A page about cost need not hold a thousand rows."""
    keys = [
        api_keys.create(
            actor=SYSTEM,
            organization=people.acme,
            name=f"key-{n:02}",
            spend_limit=Cap(100 if n == 3 else 1000, "monthly"),
        )[0]
        for n in range(MOST + 5)
    ]
    spent(keys[-1], "9")
    spent(keys[-2], "8")
    spent(keys[3], "0.85")
    as_(client, people.ada)

    few, every = client.get("/cost").content.decode(), client.get("/cost?budgets=all").content.decode()

    assert re.findall(r">(key-\d\d)</a>", few)[:3] == ["key-24", "key-03", "key-23"]
    assert len(re.findall(r">key-\d\d</a>", few)) == MOST
    assert f"Show all {MOST + 5}" in few
    assert re.findall(r">(key-\d\d)</a>", every) == [f"key-{n:02}" for n in range(MOST + 5)]
    assert "Show all" not in every
