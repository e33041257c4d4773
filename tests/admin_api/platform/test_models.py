"""Models over the platform API: names with slashes and colons, prices to the last digit."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import httpx
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from admin_api.actions import models, providers
from admin_api.actor import SYSTEM
from admin_api.catalog import Rates, RouteTo
from gateway.models import AuditEntry, Model, Price
from gateway.price import CLASSES
from tests.admin_api.platform.operator import (
    PLATFORM,
    operator_key,
    refusal,
    told,
    walked,
    walked_back,
)

LIST = "/models"
MINE = f"{LIST}/mine"
HERE = {"routes": [{"provider": "simulator"}]}
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")
RATES = Rates(*[Decimal(1)] * 5)


def lines() -> list[AuditEntry]:
    return list(AuditEntry.objects.filter(actor_type="operator_key").order_by("id"))


def test_a_model_is_made_under_any_name_with_all_it_has(operator: httpx.Client) -> None:
    name = "meta-llama/Llama-4:free"
    operator.post("/providers/mine", json={"dialect": "anthropic", "base_url": "http://10.0.0.1"})
    body = {
        "display_name": "Llama 4",
        "aliases": ["llama", "best/llama:4"],
        "routes": [
            {"provider": "simulator", "priority": 2, "weight": 7},
            {"provider": "mine", "model": "llama-4-maverick", "priority": 0},
        ],
        "max_input_tokens": 1_000_000,
        "max_output_tokens": None,
        "price": {"input": "0.0000000001", "output": "9999999999.9999999999", "cache_read": "0"},
    }

    shown = told(operator.post(f"{LIST}/{name}", json=body))

    created_at, effective_at = shown.pop("created_at"), shown["price"].pop("effective_at")
    assert MOMENT.fullmatch(effective_at)
    assert shown == {
        "type": "model",
        "name": name,
        "origin": "configured",
        "display_name": "Llama 4",
        "aliases": ["best/llama:4", "llama"],
        "group": None,
        "routes": [
            {"provider": "mine", "model": "llama-4-maverick", "priority": 0, "weight": 100},
            {"provider": "simulator", "model": name, "priority": 2, "weight": 7},
        ],
        "max_input_tokens": 1_000_000,
        "max_output_tokens": None,
        "price": {
            "input": "0.0000000001",
            "output": "9999999999.9999999999",
            "cache_read": "0",
            "cache_write_5m": "0.0000000001",
            "cache_write_1h": "0.0000000001",
            "batch_factor": "0.5",
            "web_search": "0",
            "long_context": None,
        },
        "scheduled_prices": [],
    }
    again = told(operator.get(f"{LIST}/{name}"))
    assert again["price"].pop("effective_at") == effective_at
    assert again == shown | {"created_at": created_at}
    assert Price.objects.get(model__name=name).output == Decimal("9999999999.9999999999")
    (line,) = [line for line in lines() if line.target_type == "model"]
    assert (line.action, line.target_id) == ("model.created", name)


def test_what_is_not_given_stays_and_what_is_the_same_leaves_no_line(operator: httpx.Client) -> None:
    price = {"input": "3", "output": "15.50"}
    first = told(operator.post(MINE, json=HERE | {"aliases": ["a"], "price": price, "display_name": "Mine"}))

    assert first["price"]["output"] == "15.5"
    assert told(operator.post(MINE, json=HERE | {"price": price})) == first
    assert len(lines()) == 1
    changed = told(operator.post(MINE, json=HERE | {"aliases": [], "max_output_tokens": 5}))
    assert changed == first | {"aliases": [], "max_output_tokens": 5}
    assert lines()[-1].details == {"aliases": ["[a]", "[]"], "max_output_tokens": ["none", "5"]}
    assert told(operator.post(MINE, json=HERE | {"max_output_tokens": None}))["max_output_tokens"] is None


def test_a_new_price_counts_from_now_on_and_the_old_one_stays(operator: httpx.Client) -> None:
    for amount in ("1", "2", "0.075"):
        operator.post(MINE, json=HERE | {"price": {"input": amount, "output": amount}})

    assert told(operator.get(MINE))["price"]["input"] == "0.075"
    assert list(Price.objects.filter(model__name="mine").order_by("id").values_list("input", flat=True)) == [
        Decimal(1),
        Decimal(2),
        Decimal("0.075"),
    ]


FULL = {
    **{name: str(n) for n, name in enumerate(CLASSES, 1)},
    "batch_factor": "0.25",
    "web_search": "10",
    "long_context": {"threshold": 200_000, **{name: f"{n}.5" for n, name in enumerate(CLASSES, 1)}},
}


def test_a_price_of_everything_is_told_as_it_was_set(operator: httpx.Client) -> None:
    shown = told(operator.post(MINE, json=HERE | {"price": FULL}))["price"]

    assert MOMENT.fullmatch(shown.pop("effective_at"))
    assert shown == FULL
    short = {"threshold": 7, "input": "2", "output": "3"}
    price = {"input": "1", "output": "1", "long_context": short}
    long = told(operator.post(MINE, json=HERE | {"price": price}))["price"]["long_context"]
    assert long == short | dict.fromkeys(("cache_read", "cache_write_5m", "cache_write_1h"), "2")


def test_a_price_of_the_future_is_told_beside_that_of_now(operator: httpx.Client) -> None:
    price = {"input": "1", "output": "1"}
    first = told(operator.post(MINE, json=HERE | {"price": price}))
    future = {"price": price | {"input": "2", "effective_at": "2199-01-01T00:00:00+01:00"}}

    shown = told(operator.post(MINE, json=HERE | future))

    assert shown == first | {"scheduled_prices": shown["scheduled_prices"]}
    (scheduled,) = shown["scheduled_prices"]
    assert (scheduled["input"], scheduled["effective_at"]) == ("2", "2198-12-31T23:00:00Z")
    assert told(operator.post(MINE, json=HERE | future)) == shown
    assert len(lines()) == 2


def test_a_model_without_a_price_says_so(operator: httpx.Client) -> None:
    assert told(operator.post(MINE, json=HERE))["price"] is None
    (mine,) = [one for one in operator.get(LIST).json()["data"] if one["name"] == "mine"]
    assert mine["price"] is None


NOT_DECIMAL = 'Input should be a decimal number in a string, such as "0.075"'
WRONG: list[tuple[dict[str, Any], str]] = [
    ({}, "routes: Field required"),
    ({"routes": []}, "routes: List should have at least 1 item"),
    ({"routes": "simulator"}, "routes: Input should be a valid list"),
    ({"routes": [{}]}, "routes.0.provider: Field required"),
    (
        {"routes": [{"provider": "simulator"}, {"provider": "nobody"}]},
        "routes.1.provider: there is no provider 'nobody'; expected one of simulator",
    ),
    (
        {"routes": [{"provider": "simulator"}, {"provider": "simulator", "model": "mine"}]},
        "routes.1: an earlier route has this provider and model already",
    ),
    (
        {"routes": [{"provider": "simulator", "model": "a b"}]},
        "routes.0.model: expected a name of 1 to 200 characters without spaces",
    ),
    (
        {"routes": [{"provider": "simulator", "priority": -1}]},
        "routes.0.priority: Input should be greater than or equal to 0",
    ),
    (
        {"routes": [{"provider": "simulator", "weight": 0}]},
        "routes.0.weight: Input should be greater than or equal to 1",
    ),
    (
        {"routes": [{"provider": "simulator", "url": "http://x"}]},
        "routes.0.url: Extra inputs are not permitted",
    ),
    (HERE | {"display_name": "a" * 201}, "display_name: String should have at most 200 characters"),
    (HERE | {"display_name": "a\u202eb"}, "display_name: Input should be printable text"),
    (HERE | {"aliases": ["a", "a"]}, "aliases: a name stands here twice"),
    (HERE | {"aliases": ["mine"]}, "aliases: the name 'mine' is taken by model 'mine'"),
    (HERE | {"aliases": ["taken"]}, "aliases: the name 'taken' is taken by model 'other'"),
    (HERE | {"aliases": ["other"]}, "aliases: the name 'other' is taken by model 'other'"),
    (HERE | {"aliases": ["a" * 10_000]}, "aliases.0: expected a name of 1 to 200 characters without spaces"),
    (HERE | {"max_input_tokens": 0}, "max_input_tokens: Input should be greater than or equal to 1"),
    (
        HERE | {"max_output_tokens": 2**31},
        "max_output_tokens: Input should be less than or equal to 2147483647",
    ),
    (HERE | {"price": {"input": "1"}}, "price.output: Field required"),
    (HERE | {"price": {"input": "1", "output": 1}}, f"price.output: {NOT_DECIMAL}"),
    (HERE | {"price": {"input": "1", "output": 0.1}}, f"price.output: {NOT_DECIMAL}"),
    (HERE | {"price": {"input": "1", "output": "-1"}}, f"price.output: {NOT_DECIMAL}"),
    (HERE | {"price": {"input": "1", "output": "NaN"}}, f"price.output: {NOT_DECIMAL}"),
    (HERE | {"price": {"input": "1", "output": "1e3"}}, f"price.output: {NOT_DECIMAL}"),
    (HERE | {"price": {"input": "1", "output": "1.12345678901"}}, f"price.output: {NOT_DECIMAL}"),
    (HERE | {"price": {"input": "1", "output": "10000000000"}}, f"price.output: {NOT_DECIMAL}"),
    (HERE | {"price": None}, "price: Input should not be null"),
    (
        HERE | {"price": {"input": "1", "output": "1", "batch_factor": "1.1"}},
        "price.batch_factor: Input should be less than or equal to 1",
    ),
    (
        HERE | {"price": {"input": "1", "output": "1", "long_context": {"threshold": 0}}},
        "price.long_context.threshold: Input should be greater than or equal to 1",
    ),
    (
        HERE | {"price": {"input": "1", "output": "1", "effective_at": "9999-01-01T00:00:00Z"}},
        "price.effective_at: expected a time such as 2027-01-01T00:00:00Z, of the years 2000 to 2199; without a"
        " zone it is UTC",
    ),
    (HERE | {"origin": "simulator"}, "origin: Extra inputs are not permitted"),
]


def test_a_wrong_body_is_refused_by_name(operator: httpx.Client) -> None:
    models.upsert(actor=SYSTEM, name="other", routes=[RouteTo("simulator", "x")], aliases=["taken"])

    said = [refusal(operator.post(MINE, json=body)) for body, _ in WRONG]

    assert said == [message for _, message in WRONG]
    assert not Model.objects.filter(name="mine").exists()
    assert lines() == []


def test_a_name_that_is_another_models_alias_is_refused(operator: httpx.Client) -> None:
    operator.post(MINE, json=HERE | {"aliases": ["taken"]})

    message = refusal(operator.post(f"{LIST}/taken", json=HERE))

    assert message == "name: the name 'taken' is taken by model 'mine'"


def test_a_name_that_nothing_may_have_is_refused(operator: httpx.Client) -> None:
    for name in ("a%20b", "a%00b", "a" * 201):
        message = refusal(operator.post(f"{LIST}/{name}", json=HERE))

        assert message == "name: expected a name of 1 to 200 characters without spaces"
        assert refusal(operator.get(f"{LIST}/{name}"), 404, "not_found_error") == "Model not found."


def test_a_model_of_the_simulator_is_hidden_by_a_configured_one_and_comes_back(
    operator: httpx.Client,
) -> None:
    name = f"{LIST}/claude-sonnet-4-5"
    assert told(operator.get(name))["origin"] == "simulator"
    assert refusal(operator.delete(name)).endswith("the simulator's models cannot be removed")

    assert told(operator.post(name, json=HERE))["origin"] == "configured"
    names = [item["name"] for item in told(operator.get(LIST, params={"limit": 1000}))["data"]]
    assert len(set(names)) == len(names)
    assert told(operator.delete(name)) == {"name": "claude-sonnet-4-5", "type": "model_deleted"}
    assert told(operator.get(name))["origin"] == "simulator"


def test_the_list_is_walked_in_both_directions(operator: httpx.Client) -> None:
    for name in ("a", "b/c:d", "e" * 200):
        told(operator.post(f"{LIST}/{name}", json=HERE))
    simulated = Model.objects.filter(origin="simulator").count()

    pages = walked(operator, LIST, "name", limit=2)

    names = [name for page in pages for name in page]
    assert names[:3] == ["e" * 200, "b/c:d", "a"]
    assert len(names) == len(set(names)) == 3 + simulated
    back = walked_back(operator, LIST, "name", names[-1], limit=2)
    assert [name for page in reversed(back) for name in page] == names[:-1]


def test_of_many_who_claim_one_name_at_once_one_gets_it(operator: httpx.Client) -> None:
    def claim(number: int) -> httpx.Response:
        return operator.post(f"{LIST}/m{number}", json=HERE | {"aliases": ["best"]})

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(claim, range(8)))

    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 7
    assert Model.objects.filter(origin="configured").count() == 1


def test_no_route_is_left_behind_by_a_provider_that_goes_meanwhile(operator: httpx.Client) -> None:
    place = {"dialect": "anthropic", "base_url": "http://10.0.0.1"}

    def act(number: int) -> int:
        if number % 2:
            return operator.delete("/providers/p").status_code
        operator.post("/providers/p", json=place)
        return operator.post(MINE, json={"routes": [{"provider": "p"}]}).status_code

    with ThreadPoolExecutor(8) as threads:
        statuses = set(threads.map(act, range(24)))

    assert statuses <= {200, 400, 404}
    assert not Model.objects.filter(origin="configured", routes=None).exists()


def test_a_page_costs_as_many_queries_however_long_it_is(
    db: None, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    headers = {"x-api-key": operator_key()[1]}
    providers.upsert(actor=SYSTEM, name="mine", dialect="anthropic", base_url="http://10.0.0.1")
    for number in range(10):
        routes = [RouteTo("mine", "x"), RouteTo("simulator", "x")]
        models.upsert(
            actor=SYSTEM, name=f"m{number}", routes=routes, aliases=[f"a{number}", f"b{number}"], price=RATES
        )

    # the key, the page, and its aliases, routes with providers, prices of now, prices to come
    with django_assert_num_queries(6):
        page = Client().get(f"{PLATFORM}{LIST}?limit=10", headers=headers).json()

    assert len(page["data"]) == 10 and page["has_more"]
    assert all((len(item["routes"]), len(item["aliases"])) == (2, 2) for item in page["data"])


def test_what_the_simulator_would_serve_is_not_shown_where_it_is_off(db: None, settings: Settings) -> None:
    headers = {"x-api-key": operator_key()[1]}
    settings.CONFIGURATION = settings.CONFIGURATION.model_copy(update={"simulator": False})

    assert Client().get(f"{PLATFORM}{LIST}", headers=headers).json() == {
        "data": [],
        "has_more": False,
        "first_id": None,
        "last_id": None,
    }
