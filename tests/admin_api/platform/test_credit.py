"""What organizations paid ahead: entries, what is spent of them, and who sees to it."""

from __future__ import annotations

import datetime
import io
from decimal import Decimal
from typing import Any

import httpx
import pytest
from django.core.management import CommandError, call_command
from django.db import ProgrammingError, connection, transaction

from admin_api.actions import api_keys
from admin_api.actions import credit as actions
from admin_api.actor import SYSTEM
from admin_api.queries.credit import Credit, credit
from gateway.directory.change import Change
from gateway.models import ApiKey, AuditEntry, CreditEntry, OperatorKey, Organization
from tests.admin_api.platform.operator import told
from tests.admin_api.spending import spent
from tests.people import Cast

SINCE = datetime.datetime(2026, 3, 14, 15, 9, tzinfo=datetime.UTC)
MINUTE = datetime.timedelta(minutes=1)


def key_of(organization: Organization) -> ApiKey:
    return api_keys.create(actor=SYSTEM, organization=organization, name="k")[0]


def prepaid(organization: Organization, since: datetime.datetime = SINCE) -> None:
    Organization.objects.filter(pk=organization.pk).update(prepaid_since=since)


def entry(organization: Organization, amount: int) -> CreditEntry:
    return CreditEntry.objects.create(organization_id=organization.id, amount=amount, actor_type="system")


def test_what_is_spent_counts_from_the_minute_an_organization_turned_prepaid(people: Cast) -> None:
    key, foreign = key_of(people.acme), key_of(people.umbrella)
    for at, cost in (
        (SINCE - MINUTE, "1"),
        (SINCE, "0.02"),
        (SINCE + 8 * datetime.timedelta(hours=1), "0.003"),
        (SINCE + datetime.timedelta(days=1), "0.0004"),
        (SINCE + datetime.timedelta(days=40), "0.00005"),
    ):
        spent(key, cost, at)
        spent(foreign, "7", at)
    prepaid(people.acme)
    entry(people.acme, 5000)
    entry(people.acme, -1000)
    entry(people.umbrella, 77)

    assert credit(people.acme) == Credit(SINCE, 4000, Decimal("0.02345"))
    assert credit(people.acme).balance == Decimal("3997.655")


def test_a_day_counts_once_for_who_turned_prepaid_at_midnight(people: Cast) -> None:
    key, midnight = key_of(people.acme), SINCE.replace(hour=0, minute=0)
    for at in (midnight - MINUTE, midnight, midnight + MINUTE):
        spent(key, "1", at)
    prepaid(people.acme, midnight)

    assert credit(people.acme).spent == 2


def test_who_is_not_prepaid_spends_nothing_of_their_credit(people: Cast) -> None:
    spent(key_of(people.acme), "1")
    entry(people.acme, 50)

    assert credit(people.acme) == Credit(None, 50, Decimal(0))


@pytest.mark.parametrize(
    "statement", ["UPDATE credit_entry SET amount = 9", "DELETE FROM credit_entry", "TRUNCATE credit_entry"]
)
def test_entries_are_never_changed_or_removed(people: Cast, statement: str) -> None:
    entry(people.acme, 50)

    with (
        pytest.raises(ProgrammingError, match="never changed"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)

    assert credit(people.acme).granted == 50


# --- Operators ---


def acme_credit(people: Cast) -> str:
    return f"/organizations/{people.acme.id}/credit"


def test_an_operator_grants_credit_and_sees_what_is_left(
    operator: httpx.Client, committed_people: Cast
) -> None:
    acme = committed_people.acme
    body = {"amount": "5000", "note": "Invoice 7"}
    made = told(operator.post(acme_credit(committed_people), json=body))
    turned = told(operator.post(f"/organizations/{acme.id}", json={"prepaid": True}))
    spent(key_of(acme), "12.3456")
    taken = told(operator.post(acme_credit(committed_people), json={"amount": "-1000"}))

    shown = told(operator.get(acme_credit(committed_people)))

    key_id = OperatorKey.objects.get().id
    assert made == {
        "id": made["id"],
        "type": "credit_entry",
        "amount": "5000",
        "note": "Invoice 7",
        "created_at": made["created_at"],
        "created_by": {"type": "operator_key", "id": key_id},
        "balance": "5000",
    }
    assert (taken["amount"], taken["note"], taken["balance"]) == ("-1000", "", "2765.44")
    assert shown == {
        "data": [{k: v for k, v in one.items() if k != "balance"} for one in (taken, made)],
        "has_more": False,
        "first_id": taken["id"],
        "last_id": made["id"],
        "prepaid_since": turned["prepaid_since"],
        "granted": "4000",
        "spent": "1234.56",
        "balance": "2765.44",
    }
    assert turned["prepaid_since"] is not None
    lines = AuditEntry.objects.filter(actor_id=key_id).order_by("id")
    assert [(line.action, line.details) for line in lines] == [
        ("credit.adjusted", {"credit_entry_id": made["id"], "amount": "5000", "note": "Invoice 7"}),
        ("organization.prepaid_begun", {"credit": "5000"}),
        ("credit.adjusted", {"credit_entry_id": taken["id"], "amount": "-1000", "note": ""}),
    ]


@pytest.mark.parametrize("amount", ["0", "-0", "5.00", "1e3", "--5", "-", "+5", 5, "9" * 16])
def test_what_is_no_amount_of_credit_is_refused(
    operator: httpx.Client, committed_people: Cast, amount: object
) -> None:
    refused = operator.post(acme_credit(committed_people), json={"amount": amount})

    assert (refused.status_code, refused.json()["error"]["message"][:8]) == (400, "amount: ")
    assert not CreditEntry.objects.exists()


def test_what_was_spent_stays_spent_when_paying_ahead_ends_and_begins_again(people: Cast) -> None:
    actions.adjust(actor=SYSTEM, organization=people.acme, amount=5000)
    actions.begin(actor=SYSTEM, organization=people.acme)
    spent(key_of(people.acme), "12.3456")

    actions.end(actor=SYSTEM, organization=people.acme)

    assert credit(people.acme) == Credit(None, 3765, Decimal(0))
    assert AuditEntry.objects.latest("id").details == {"spent": "1234.56"}
    prepaid(people.acme, datetime.datetime.now(datetime.UTC) + MINUTE)  # a minute later
    assert credit(people.acme).balance == 3765


def test_the_change_is_told_to_the_processes_that_serve(
    people: Cast, django_capture_on_commit_callbacks: Any
) -> None:
    for verb, given in ((actions.adjust, {"amount": 1}), (actions.begin, {}), (actions.end, {})):
        with django_capture_on_commit_callbacks() as callbacks:
            verb(actor=SYSTEM, organization=people.acme, **given)  # type: ignore[operator]

        assert [callback.args for callback in callbacks] == [(Change("organization", str(people.acme.id)),)]


# --- The command line ---


def command(*arguments: str) -> str:
    out = io.StringIO()
    call_command("credit", "Acme", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_shows_and_changes_credit(people: Cast) -> None:
    assert command() == "Acme: 0.00 USD left; not prepaid\n"
    assert command("1250.50", "--note", "Invoice 8") == "Acme: 1,250.50 USD left; not prepaid\n"
    begun = command("--prepaid", "on")
    spent(key_of(people.acme), "50.25")
    shown = command("--", "-1000")

    since = Organization.objects.get(pk=people.acme.pk).prepaid_since
    assert (
        begun
        == f"Acme: 1,250.50 USD left of 1,250.50; prepaid since {since:%Y-%m-%d %H:%M} UTC, spent 0.00\n"
    )
    assert (
        shown == f"Acme: 200.25 USD left of 250.50; prepaid since {since:%Y-%m-%d %H:%M} UTC, spent 50.25\n"
    )
    entries = CreditEntry.objects.order_by("created_at").values_list("amount", "note", "actor_type")
    assert list(entries) == [(125050, "Invoice 8", "system"), (-100000, "", "system")]


@pytest.mark.parametrize(
    "arguments",
    [
        ("-12.50", "--note", "Refund"),
        ("--note", "Refund", "-12.50"),
        ("--note", "Refund", "--", "-12.50"),
    ],
)
def test_the_amount_may_stand_before_and_behind_the_note(people: Cast, arguments: tuple[str, ...]) -> None:
    assert command(*arguments) == "Acme: -12.50 USD left; not prepaid\n"
    assert list(CreditEntry.objects.values_list("amount", "note")) == [(-1250, "Refund")]


@pytest.mark.parametrize("amount", ["fifty", "1.005", "nan", "inf", "1e99999999999999999999"])
def test_the_command_takes_dollars_and_cents_only(people: Cast, amount: str) -> None:
    with pytest.raises(CommandError, match="is no amount"):
        command(amount)

    assert not CreditEntry.objects.exists()
