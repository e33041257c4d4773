"""Which spend limit holds for whom, and what is spent of it: against sums taken from the rollups themselves."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import anthropic
import pytest
from django.db.models import Sum
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from admin_api.actions import api_keys, memberships, spend_limits, workspaces
from admin_api.actor import SYSTEM
from admin_api.queries.member_spend import spend_to_date
from admin_api.queries.spend_summaries import spend_summary
from gateway.models import ApiKey, Membership, Organization, SpendLimit, UsageDay, User
from gateway.models.spend_limits import Period
from tests.admin_api.door import Door, admin_key
from tests.admin_api.spending import spent
from tests.people import Cast, person

PATH = "/v1/organizations/spend_limits/effective"
PERIODS = [Period.DAILY, Period.WEEKLY, Period.MONTHLY]
MILLISECOND = datetime.timedelta(milliseconds=1)


@pytest.fixture
def client(door: Door, committed_people: Cast) -> anthropic.Anthropic:
    return door.sdk(admin_key(committed_people.acme)[1])


def limit_of(organization: Organization, **scope: Any) -> SpendLimit:
    given = {"period": "monthly", "amount": 100} | scope
    return spend_limits.set_amount(actor=SYSTEM, organization=organization, **given)


def key_of(user: User | None, organization: Organization, **fields: Any) -> ApiKey:
    """A key that acts for the user."""
    key, _ = api_keys.create(actor=SYSTEM, organization=organization, name="k")
    ApiKey.objects.filter(pk=key.pk).update(user=user, **fields)
    return key


# --- Limits ---


def test_a_member_has_the_organizations_limit_until_there_is_one_of_their_own(
    client: anthropic.Anthropic, committed_people: Cast
) -> None:
    acme, dev = committed_people.acme, committed_people.dev
    everybodys = limit_of(acme)
    spent(key_of(dev, acme), "1.2345678")

    def shown() -> dict[str, Any]:
        (row,) = client.organization.spend_limits.effective.list(user_ids=[dev.id])
        return row.to_dict()

    expected = {
        "actor": {
            "type": "user_actor",
            "user_id": dev.id,
            "name": "Dev",
            "email_address": "dev@example.com",
            "deleted": False,
        },
        "scope": {"type": "user", "user_id": dev.id},
        "source": {"type": "organization"},
        "spend_limit_id": everybodys.id,
        "amount": "100",
        "currency": "USD",
        "period": "monthly",
        "period_to_date_spend": "123.457",
    }
    assert shown() == expected
    own = limit_of(acme, user=dev, amount=None)
    of_dev = {"source": {"type": "user", "user_id": dev.id}, "spend_limit_id": own.id, "amount": None}
    assert shown() == expected | of_dev
    beta = client.beta.organization.spend_limits.effective.list(user_ids=[dev.id])
    assert beta.data[0].to_dict() == shown()


def test_periods_do_not_replace_each_other(client: anthropic.Anthropic, committed_people: Cast) -> None:
    acme, dev, uma = committed_people.acme, committed_people.dev, committed_people.uma
    limit_of(acme, period="weekly", amount=7)
    limit_of(acme, period="monthly", amount=30)
    limit_of(acme, period="daily", user=dev, amount=1)
    limit_of(acme, period="weekly", user=dev, amount=5)
    users = [dev.id, uma.id]

    def rows(**filters: Any) -> list[tuple[str, str, str | None, str]]:
        found = client.organization.spend_limits.effective.list(user_ids=users, **filters)
        return [(row.actor.name, row.period, row.amount, row.source.type) for row in found]  # type: ignore[misc,union-attr]

    assert rows() == [
        ("Uma", "weekly", "7", "organization"),
        ("Uma", "monthly", "30", "organization"),
        ("Dev", "daily", "1", "user"),
        ("Dev", "weekly", "5", "user"),
        ("Dev", "monthly", "30", "organization"),
    ]
    assert rows(period=["daily", "weekly"]) == [
        ("Uma", "weekly", "7", "organization"),
        ("Dev", "daily", "1", "user"),
        ("Dev", "weekly", "5", "user"),
    ]


def test_only_limits_of_members_and_of_the_organization_count(
    client: anthropic.Anthropic, committed_people: Cast
) -> None:
    acme = committed_people.acme
    lab = workspaces.create(actor=SYSTEM, organization=acme, name="Lab")
    limit_of(acme, workspace=lab)
    SpendLimit.objects.create(organization=acme, api_key=key_of(None, acme), period="monthly", amount=1)
    limit_of(committed_people.umbrella)
    effective = client.organization.spend_limits.effective

    assert effective.list().data == []
    limit_of(acme, user=committed_people.bill)
    assert [row.actor.name for row in effective.list()] == ["Bill"]  # type: ignore[union-attr]
    everybody = [committed_people.mallory.id, "user_01nothing"]
    assert effective.list(user_ids=everybody).data == []


def test_pages_count_members_and_never_split_one(client: anthropic.Anthropic, committed_people: Cast) -> None:
    for period in PERIODS:
        limit_of(committed_people.acme, period=period)

    first = client.organization.spend_limits.effective.list(limit=3)
    second = first.get_next_page()

    def who(page: Any) -> list[str]:
        return [row.actor.name for row in page.data]

    assert who(first) == ["Uma"] * 3 + ["Bill"] * 3 + ["Dev"] * 3
    assert who(second) == ["Ada"] * 3
    assert second.next_page is None


def test_members_without_any_limit_leave_no_page_empty(
    client: anthropic.Anthropic, committed_people: Cast
) -> None:
    """The SDK takes a page without rows for the last one."""
    limit_of(committed_people.acme, user=committed_people.ada)

    page = client.organization.spend_limits.effective.list(limit=1)

    assert ([row.actor.name for row in page.data], page.next_page) == (["Ada"], None)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1001",
        "page=page_x",
        "period[]=yearly",
        "user_ids[]=a%00b",
        "user_ids[]=" + "u" * 10_000,
        "&".join(["user_ids[]=u"] * 101),
    ],
)
def test_a_query_that_is_not_right_is_refused_by_name(client: anthropic.Anthropic, query: str) -> None:
    with pytest.raises(anthropic.BadRequestError, match=query.partition("=")[0].removesuffix("[]")):
        client.get(f"{PATH}?{query}", cast_to=object)


def test_pages_of_another_organization_or_list_are_none(
    client: anthropic.Anthropic, door: Door, committed_people: Cast
) -> None:
    limit_of(committed_people.acme)
    limit_of(committed_people.acme, period="daily")
    page = client.organization.spend_limits.effective.list(limit=1).next_page
    other = client.beta.organization.spend_limits.list(limit=1).next_page
    umbrella = door.sdk(admin_key(committed_people.umbrella)[1])

    for asker, cursor in ((umbrella, page), (client, other)):
        with pytest.raises(anthropic.BadRequestError, match="page: not a page of this list"):
            asker.organization.spend_limits.effective.list(page=cursor)


# --- Spend ---


@pytest.mark.parametrize(
    "now",
    [
        "2026-07-15T12:00:00",  # a Wednesday in the middle of a month
        "2026-09-02T00:00:00",  # a week that began in the month before
        "2026-06-01T00:00:00",  # all three begin now
        "2026-08-31T23:59:59.999",  # a Monday that ends a month
        "2024-02-29T08:30:00",
        "2026-01-01T00:00:00.001",
    ],
)
def test_spend_is_the_sum_of_the_days_since_the_period_began(people: Cast, now: str) -> None:
    at = datetime.datetime.fromisoformat(now).replace(tzinfo=datetime.UTC)
    key = key_of(people.dev, people.acme)
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    starts = {
        Period.DAILY: midnight,
        Period.WEEKLY: midnight - datetime.timedelta(days=at.isoweekday() - 1),
        Period.MONTHLY: midnight.replace(day=1),
    }
    moments = [at, at + datetime.timedelta(days=1)]
    moments += [moment for start in starts.values() for moment in (start, start - MILLISECOND)]
    written = [(moment, Decimal(f"{10**n}.00000001")) for n, moment in enumerate(moments)]
    for moment, cost in written:
        spent(key, str(cost), moment)

    found = spend_to_date(people.acme, [people.dev.id], PERIODS, now=at)

    tomorrow = midnight + datetime.timedelta(days=1)
    assert found == {
        (people.dev.id, period): sum(cost for moment, cost in written if start <= moment < tomorrow)
        for period, start in starts.items()
    }
    for period, start in starts.items():
        days = UsageDay.objects.filter(api_key_id=key.id, bucket__gte=start, bucket__lt=tomorrow)
        assert days.aggregate(sum=Sum("cost"))["sum"] == found[people.dev.id, period]
        assert spend_to_date(people.acme, [people.dev.id], [period], now=at) == {
            (people.dev.id, period): found[people.dev.id, period]
        }


def test_windows_are_those_of_utc_wherever_somebody_looks(people: Cast) -> None:
    auckland = datetime.timezone(datetime.timedelta(hours=13))
    at = datetime.datetime(2026, 6, 1, 12, tzinfo=auckland)  # still Sunday, May 31, in UTC

    assert [period.start(at).isoformat() for period in PERIODS] == [
        "2026-05-31T00:00:00+00:00",
        "2026-05-25T00:00:00+00:00",
        "2026-05-01T00:00:00+00:00",
    ]


def test_spend_is_that_of_the_keys_that_act_for_the_member(people: Cast) -> None:
    acme, dev = people.acme, people.dev
    limit_of(acme)
    spent(key_of(dev, acme), "1")
    spent(key_of(dev, acme, status="archived"), "0.5")
    spent(key_of(None, acme, created_by=dev), "4")
    spent(key_of(people.uma, acme), "8")
    memberships.add(actor=SYSTEM, organization=people.umbrella, user=dev, role="user")
    spent(key_of(dev, people.umbrella), "16")

    def of(user: User) -> Decimal:
        summary = spend_summary(acme, user, "monthly")
        assert summary is not None
        return summary.spend

    assert [of(user) for user in (dev, people.uma, people.bill)] == [Decimal("1.5"), Decimal(8), Decimal(0)]


@pytest.mark.parametrize(
    ("cost", "cents"),
    [
        ("0.00", "0"),
        ("0.000004", "0"),
        ("0.00001", "0.001"),
        ("0.5", "50"),
        ("1.23456", "123.456"),
        ("120.505", "12050.5"),
        ("99999999.99", "9999999999"),
    ],
)
def test_spend_is_told_in_cents_to_a_thousandth(people: Cast, cost: str, cents: str) -> None:
    limit_of(people.acme, user=people.dev)
    spent(key_of(people.dev, people.acme), cost)

    answer = Client().get(PATH, headers={"x-api-key": admin_key(people.acme)[1]})

    assert [row["period_to_date_spend"] for row in answer.json()["data"]] == [cents]


def test_a_page_costs_four_queries_however_long_it_is(
    people: Cast, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    _, secret = admin_key(people.acme)
    users = [person(f"P{number}", people.acme, Membership.Role.USER) for number in range(10)]
    for period in PERIODS:
        limit_of(people.acme, period=period)
    for user in users:
        limit_of(people.acme, user=user)
        spent(key_of(user, people.acme), "1", timezone.now())

    with django_assert_num_queries(4):  # the key with its organization, the members, limits, spend
        answer = Client().get(f"{PATH}?limit=10", headers={"x-api-key": secret})

    rows = answer.json()["data"]
    assert len(rows) == 30
    assert {row["period_to_date_spend"] for row in rows} == {"100"}
