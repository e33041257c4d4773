"""What organizations paid ahead: entries, what is spent of them, and who sees to it."""

from __future__ import annotations

import datetime
from decimal import Decimal

import pytest
from django.db import ProgrammingError, connection, transaction

from admin_api.actions import api_keys
from admin_api.actor import SYSTEM
from admin_api.queries.credit import Credit, credit
from gateway.models import ApiKey, CreditEntry, Organization
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
