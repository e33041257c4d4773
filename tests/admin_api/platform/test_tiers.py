"""Tiers over the platform API."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from admin_api.actions import organizations, tiers
from admin_api.actor import SYSTEM
from admin_api.serializers.limits import LimitsBody, OwnLimitsBody
from gateway.limiters import LIMIT_NAMES
from gateway.models import AuditEntry, Tier
from tests.admin_api.platform.operator import (
    PLATFORM,
    operator_key,
    refusal,
    told,
    walked,
    walked_back,
)
from tests.people import Cast

LIST = "/tiers"
MINE = f"{LIST}/mine"


def lines() -> list[AuditEntry]:
    return list(AuditEntry.objects.filter(actor_type="operator_key").order_by("id"))


def test_a_tier_is_set_as_a_whole(operator: httpx.Client) -> None:
    limits = {"requests_per_minute": 10, "concurrent_requests": 2}

    made = told(operator.post(MINE, json={"limits": limits, "reserve_worst_case": True}))
    again = told(operator.post(MINE, json={"limits": limits, "reserve_worst_case": True}))
    changed = told(operator.post(MINE, json={"limits": {"tokens_per_minute": 5}}))

    assert made == again == told(operator.get(MINE)) | {"limits": limits, "reserve_worst_case": True}
    assert made["type"] == "tier" and made["name"] == "mine" and made["is_standard"] is False
    assert (changed["limits"], changed["reserve_worst_case"]) == ({"tokens_per_minute": 5}, False)
    assert [(line.action, line.target_id) for line in lines()] == [
        ("tier.created", "mine"),
        ("tier.changed", "mine"),
    ]


def test_every_limit_that_there_is_can_be_set() -> None:
    assert tuple(LimitsBody().fields) == tuple(OwnLimitsBody().fields) == LIMIT_NAMES


WRONG: list[tuple[dict[str, Any], str]] = [
    ({}, "limits: Field required"),
    ({"limits": None}, "limits: Input should not be null"),
    ({"limits": {"requests": 1}}, "limits.requests: Extra inputs are not permitted"),
    (
        {"limits": {"requests_per_minute": None}},
        "limits.requests_per_minute: Input should not be null",
    ),
    (
        {"limits": {"requests_per_minute": 0}},
        "limits.requests_per_minute: Input should be greater than or equal to 1",
    ),
    (
        {"limits": {}, "reserve_worst_case": "perhaps"},
        "reserve_worst_case: Input should be a valid boolean",
    ),
    ({"limits": {}, "name": "other"}, "name: Extra inputs are not permitted"),
]


def test_a_wrong_body_is_refused_by_name(operator: httpx.Client) -> None:
    said = [refusal(operator.post(MINE, json=body)) for body, _ in WRONG]

    assert said == [message for _, message in WRONG]
    assert not Tier.objects.filter(name="mine").exists()
    assert lines() == []


def test_a_name_that_nothing_may_have_is_refused(operator: httpx.Client) -> None:
    for name in ("a%20b", "a%00b", "a" * 65):
        message = refusal(operator.post(f"{LIST}/{name}", json={"limits": {}}))

        assert message == "name: expected a name of 1 to 64 characters without spaces"
        assert refusal(operator.get(f"{LIST}/{name}"), 404, "not_found_error") == "Tier not found."


def test_standard_tiers_and_those_in_use_stay(operator: httpx.Client, committed_people: Cast) -> None:
    operator.post(MINE, json={"limits": {}})
    organizations.set_tier(
        actor=SYSTEM, organization=committed_people.acme, tier=Tier.objects.get(name="mine")
    )

    assert told(operator.get(f"{LIST}/basic"))["is_standard"] is True
    standard = refusal(operator.delete(f"{LIST}/basic"))
    used = refusal(operator.delete(MINE))
    organizations.set_tier(
        actor=SYSTEM, organization=committed_people.acme, tier=Tier.objects.get(name="pro")
    )

    assert standard == "tiers.basic: a standard tier cannot be removed"
    assert used == "tiers.mine: organizations are on it"
    assert told(operator.delete(MINE)) == {"name": "mine", "type": "tier_deleted"}
    assert refusal(operator.delete(MINE), 404, "not_found_error") == "Tier not found."


def test_of_many_who_remove_one_tier_at_once_one_does(operator: httpx.Client) -> None:
    operator.post(MINE, json={"limits": {}})

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: operator.delete(MINE), range(8)))

    assert sorted(answer.status_code for answer in answers) == [200] + [404] * 7
    assert [line.action for line in lines()] == ["tier.created", "tier.removed"]


def test_the_list_is_walked_in_both_directions(operator: httpx.Client) -> None:
    for name in ("a", "b"):
        operator.post(f"{LIST}/{name}", json={"limits": {}})

    pages = walked(operator, LIST, "name", limit=2)
    names = [name for page in pages for name in page]

    assert names[:2] == ["b", "a"] and set(names) == {"a", "b", "basic", "pro", "enterprise"}
    back = walked_back(operator, LIST, "name", names[-1], limit=3)
    assert back == [names[1:4], names[:1]]
    assert refusal(operator.get(LIST, params={"before_id": "z"})).startswith("before_id: no object")


def test_a_page_costs_as_many_queries_however_long_it_is(
    db: None, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    headers = {"x-api-key": operator_key()[1]}
    for number in range(10):
        tiers.upsert(actor=SYSTEM, name=f"t{number}", limits={})

    with django_assert_num_queries(2):  # the key, the page
        page = Client().get(f"{PLATFORM}{LIST}?limit=10", headers=headers).json()

    assert (len(page["data"]), page["has_more"]) == (10, True)
