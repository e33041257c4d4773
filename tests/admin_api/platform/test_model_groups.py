"""Groups of models over the platform API, and the limits that operators set for single ones."""

from __future__ import annotations

from typing import Any

import httpx
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from admin_api.actions import api_keys, model_groups, workspaces
from admin_api.actor import SYSTEM
from gateway.models import ApiKey, AuditEntry, ModelGroup, Workspace
from tests.admin_api.platform.operator import (
    PLATFORM,
    operator_key,
    refusal,
    told,
    walked,
    walked_back,
)
from tests.people import Cast

LIST = "/model_groups"
LARGE = f"{LIST}/large"
MODEL = "/models/mine"
ROUTED = {"routes": [{"provider": "simulator", "model": "m"}]}
TIER = "/tiers/mine"


def lines(kind: str) -> list[tuple[str, dict[str, Any]]]:
    found = AuditEntry.objects.filter(actor_type="operator_key", target_type=kind).order_by("id")
    return [(line.action, line.details) for line in found]


def test_a_group_is_made_named_filled_and_removed(operator: httpx.Client) -> None:
    made = told(operator.post(LARGE, json={}))
    named = told(operator.post(LARGE, json={"display_name": "Large models"}))
    operator.post(LARGE, json={})
    model = told(operator.post(MODEL, json=ROUTED | {"group": "large"}))
    kept = told(operator.post(MODEL, json=ROUTED))
    filled = told(operator.get(LARGE))
    needed = refusal(operator.delete(LARGE))
    left = told(operator.post(MODEL, json=ROUTED | {"group": None}))

    assert made == {"type": "model_group", "name": "large", "display_name": "large", "models": []}
    assert named == made | {"display_name": "Large models"}
    assert filled == named | {"models": ["mine"]}
    assert (model["group"], kept["group"], left["group"]) == ("large", "large", None)
    assert needed == "model_groups.large: models are in it"
    assert told(operator.delete(LARGE)) == {"name": "large", "type": "model_group_deleted"}
    assert refusal(operator.delete(LARGE), 404, "not_found_error") == "Model group not found."
    assert lines("model_group") == [
        ("model_group.created", {}),
        ("model_group.changed", {"display_name": ["large", "Large models"]}),
        ("model_group.removed", {"workspaces": 0, "api_keys": 0}),
    ]
    assert lines("model")[1:] == [("model.changed", {"group": ["large", "none"]})]


def test_a_group_that_operators_have_limits_for_stays(operator: httpx.Client, committed_people: Cast) -> None:
    limits = {"large": {"requests_per_minute": 1}}
    acme = f"/organizations/{committed_people.acme.id}"
    operator.post(LARGE, json={})
    operator.post(TIER, json={"limits": {}, "group_limits": limits})
    operator.post(acme, json={"group_limits": limits})

    assert refusal(operator.delete(LARGE)) == "model_groups.large: tier 'mine' has limits for it"
    operator.post(TIER, json={"limits": {}})
    assert refusal(operator.delete(LARGE)) == "model_groups.large: organization 'Acme' has limits for it"
    operator.post(acme, json={"group_limits": None})
    assert told(operator.delete(LARGE))["name"] == "large"


def test_what_tenants_set_for_a_group_goes_with_it_and_nothing_else(people: Cast) -> None:
    group = model_groups.upsert(actor=SYSTEM, name="large").row
    lab = workspaces.create(actor=SYSTEM, organization=people.acme, name="Lab")
    key, _ = api_keys.create(
        actor=SYSTEM, organization=people.acme, name="k", group_limits={"batch": {"requests_per_minute": 3}}
    )
    workspaces.set_limits(actor=SYSTEM, workspace=lab, pool="large", limits={"requests_per_minute": 1})
    workspaces.set_limits(actor=SYSTEM, workspace=lab, limits={"requests_per_minute": 2})

    model_groups.remove(actor=SYSTEM, group=group)

    assert Workspace.objects.get(pk=lab.pk).group_limits == {"default": {"requests_per_minute": 2}}
    assert ApiKey.objects.get(pk=key.pk).group_limits == {"batch": {"requests_per_minute": 3}}
    assert AuditEntry.objects.get(action="model_group.removed").details == {"workspaces": 1, "api_keys": 0}
    assert not ModelGroup.objects.exists()


WRONG: list[tuple[str, dict[str, Any], str]] = [
    (LARGE, {"display_name": ""}, "display_name: String should have at least 1 character"),
    (LARGE, {"display_name": "a\x07"}, "display_name: Input should be printable text"),
    (LARGE, {"models": []}, "models: Extra inputs are not permitted"),
    (f"{LIST}/a%20b", {}, "name: expected a name of 1 to 64 characters without spaces"),
    (f"{LIST}/batch", {}, "name: batch is always there, and no group of models"),
    (f"{LIST}/default", {}, "name: default is always there, and no group of models"),
    (MODEL, ROUTED | {"group": "huge"}, "group: there is no model group 'huge'; expected one of small"),
    (MODEL, ROUTED | {"group": 5}, "group: Input should be a valid string"),
]
POOLS = "batch, default, small, token_count"
WRONG_LIMITS: list[tuple[Any, str]] = [
    ([], "group_limits: Input should be an object"),
    ({"huge": {}}, f"group_limits.huge: there is no model group 'huge'; expected one of {POOLS}"),
    ({"small": 5}, "group_limits.small: Input should be an object"),
    ({"small": {"requests": 5}}, "group_limits.small.requests: Extra inputs are not permitted"),
    (
        {"small": {"tokens_per_day": 0}},
        "group_limits.small.tokens_per_day: Input should be greater than or equal to 1",
    ),
    (
        {"small": {"tokens_per_day": "5"}},
        "group_limits.small.tokens_per_day: Input should be a valid integer",
    ),
    (
        {f"p{number}": {} for number in range(1001)},
        "group_limits: at most 1000 pools can be named",
    ),
]


def test_a_wrong_body_is_refused_by_name(operator: httpx.Client, committed_people: Cast) -> None:
    operator.post(f"{LIST}/small", json={})
    acme = f"/organizations/{committed_people.acme.id}"

    said = [refusal(operator.post(path, json=body)) for path, body, _ in WRONG]
    of_tier = [
        refusal(operator.post(TIER, json={"limits": {}, "group_limits": it})) for it, _ in WRONG_LIMITS
    ]
    of_acme = [refusal(operator.post(acme, json={"group_limits": it})) for it, _ in WRONG_LIMITS]

    assert said == [message for _, _, message in WRONG]
    assert of_tier == of_acme == [message for _, message in WRONG_LIMITS]
    assert [action for action, _ in lines("model_group")] == ["model_group.created"]
    assert lines("tier") == lines("organization") == lines("model") == []


def test_limits_of_a_group_are_those_of_the_tier_and_over_them_the_organizations(
    operator: httpx.Client, committed_people: Cast
) -> None:
    acme = f"/organizations/{committed_people.acme.id}"
    operator.post(LARGE, json={})
    limits = {"requests_per_minute": 10, "tokens_per_minute": 100}
    ours = {"large": {"requests_per_minute": 2, "tokens_per_day": 9}}
    tier = told(operator.post(TIER, json={"limits": limits, "group_limits": ours}))
    operator.post(acme, json={"tier": "mine", "limits": {"requests_per_minute": 20}})

    shown = told(
        operator.post(acme, json={"group_limits": {"large": {"tokens_per_minute": None}, "batch": {}}})
    )
    again = told(operator.post(acme, json={"group_limits": {"large": {"tokens_per_minute": None}}}))

    assert tier["group_limits"] == ours
    assert shown["group_limits"] == {"large": {"tokens_per_minute": None}}
    assert again == shown
    assert shown["effective_limits"] == {"requests_per_minute": 20, "tokens_per_minute": 100}
    held = committed_people.acme
    held.refresh_from_db()
    assert held.effective_limits("large") == {"requests_per_minute": 2, "tokens_per_day": 9}
    assert held.effective_limits("token_count") == {"requests_per_minute": 20}
    assert held.effective_limits("batch") == {"concurrent_requests": 50, "enqueued_batch_requests": 100_000}
    assert [action for action, _ in lines("organization")] == [
        "organization.tier_set",
        "organization.limits_set",
        "organization.group_limits_set",
    ]


def test_the_list_is_walked_in_both_directions(operator: httpx.Client) -> None:
    for name in ("a", "b", "c"):
        operator.post(f"{LIST}/{name}", json={})

    assert walked(operator, LIST, "name", limit=2) == [["c", "b"], ["a"]]
    assert walked_back(operator, LIST, "name", "a", limit=1) == [["b"], ["c"]]


def test_a_page_costs_as_many_queries_however_long_it_is(
    db: None, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    headers = {"x-api-key": operator_key()[1]}
    for number in range(10):
        model_groups.upsert(actor=SYSTEM, name=f"g{number}")

    with django_assert_num_queries(3):  # the key, the page, the models
        page = Client().get(f"{PLATFORM}{LIST}?limit=10", headers=headers).json()

    assert (len(page["data"]), page["has_more"]) == (10, False)
