"""What a key's row tells of money: the credit of its organization, and the spend limits that hold for it."""

from __future__ import annotations

import datetime
from typing import Any

from django.db import connection

from admin_api.actions import api_keys, spend_limits, workspaces
from admin_api.actor import SYSTEM
from gateway.directory.store import KEY
from gateway.models import ApiKey, CreditEntry, Organization, SpendLimit, User, Workspace
from gateway.models.spend_limits import Period
from tests.people import cast

SINCE = datetime.datetime(2026, 3, 14, 15, 9, tzinfo=datetime.UTC)


def row_of(key: ApiKey) -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute(KEY, [key.digest] * 3)
        names = [column.name for column in cursor.description]
        return dict(zip(names, cursor.fetchone(), strict=True))


def key_in(
    organization: Organization, workspace: Workspace | None = None, user: User | None = None
) -> ApiKey:
    key, _ = api_keys.create(actor=SYSTEM, organization=organization, name="k")
    ApiKey.objects.filter(pk=key.pk).update(workspace=workspace, user=user)
    key.refresh_from_db()
    return key


def limit(organization: Organization, amount: int | None = 100, **scope: Any) -> SpendLimit:
    return SpendLimit.objects.create(
        organization=organization, amount=amount, **({"period": Period.DAILY} | scope)
    )


def told(row: dict[str, Any]) -> set[str]:
    return {one["id"] for one in row["spend_limits"] or []}


def test_credit_is_told_of_organizations_that_pay_ahead(db: None) -> None:
    people = cast()
    key, other = key_in(people.acme), key_in(people.umbrella)
    for organization, amount in ((people.acme, 700), (people.acme, -50), (people.umbrella, 3)):
        CreditEntry.objects.create(organization_id=organization.id, amount=amount, actor_type="system")
    Organization.objects.filter(pk=people.acme.pk).update(prepaid_since=SINCE)

    assert [(row["prepaid_since"], row["credit_cents"]) for row in map(row_of, (key, other))] == [
        (SINCE, 650),
        (None, None),
    ]


def test_a_key_knows_the_limits_that_can_hold_for_it_and_no_others(db: None) -> None:
    people = cast()
    research, sales = (
        workspaces.create(actor=SYSTEM, organization=people.acme, name=name) for name in ("Research", "Sales")
    )
    mine, other = key_in(people.acme, research, people.dev), key_in(people.acme, sales, people.uma)
    everywhere = key_in(people.acme)
    all_of_acme = limit(people.acme)
    limit(people.acme, None, period=Period.WEEKLY)
    limit(people.umbrella)
    in_research, in_sales = limit(people.acme, workspace=research), limit(people.acme, workspace=sales)
    of_dev, of_mine = limit(people.acme, user=people.dev), limit(people.acme, api_key=mine, period="monthly")

    assert told(row_of(mine)) == {all_of_acme.id, in_research.id, of_dev.id, of_mine.id}
    assert told(row_of(other)) == {all_of_acme.id, in_sales.id}
    assert told(row_of(everywhere)) == {all_of_acme.id, in_research.id, in_sales.id}
    (own,) = [one for one in row_of(mine)["spend_limits"] if one["scope"] == "api_key"]
    assert own == {
        "id": of_mine.id,
        "scope": "api_key",
        "scope_id": mine.id,
        "period": "monthly",
        "amount": 100,
        "version": round(of_mine.updated_at.timestamp() * 1000),
    }
    assert row_of(mine)["user_id"] == people.dev.id


def test_limits_of_nobody_else_make_a_key_slow_to_find(db: None) -> None:
    """With 4,000 limits of members the query looks at a handful of index entries."""
    people = cast()
    key = key_in(people.acme, user=people.dev)
    users = User.objects.bulk_create(User(email=f"{number}@example.com") for number in range(2000))
    SpendLimit.objects.bulk_create(
        SpendLimit(organization=people.acme, user=user, period=period, amount=1)
        for user in users
        for period in ("daily", "weekly")
    )
    spend_limits.set_amount(
        actor=SYSTEM, organization=people.acme, user=people.dev, period="daily", amount=100
    )

    with connection.cursor() as cursor:
        cursor.execute("ANALYZE gateway_spendlimit")
        cursor.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + KEY, [key.digest] * 3)
        plan = cursor.fetchone()[0][0]

    assert len(told(row_of(key))) == 1
    assert plan["Execution Time"] < 10, plan
    assert "Seq Scan on gateway_spendlimit" not in str(plan) and max(_rows_filtered(plan["Plan"])) < 100


def _rows_filtered(plan: dict[str, Any]) -> list[float]:
    inner = [count for child in plan.get("Plans", []) for count in _rows_filtered(child)]
    return [plan.get("Rows Removed by Filter", 0), plan["Actual Rows"], *inner]
