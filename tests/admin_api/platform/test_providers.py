"""Providers over the platform API. What came in as a secret never comes out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
from django.conf import settings
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from admin_api.actions import models, providers
from admin_api.actor import SYSTEM
from admin_api.catalog import RouteTo, WeightedKey
from gateway.encryption import Vault
from gateway.models import AuditEntry, Provider, ProviderKey
from gateway.protocol.vendors import VENDORS
from tests.admin_api.platform.operator import (
    PLATFORM,
    operator_key,
    refusal,
    told,
    walked,
    walked_back,
)

LIST = "/providers"
MINE = f"{LIST}/mine"
SECRETS = ("sk-first-0123456789abcdef", "sk-second-fedcba9876543210")
PRESETS = ", ".join(sorted(VENDORS)[:12]) + ", ..."
PLACE = {"dialect": "anthropic", "base_url": "http://10.0.0.1"}


def lines() -> list[AuditEntry]:
    return list(AuditEntry.objects.filter(actor_type="operator_key").order_by("id"))


def stored() -> list[str]:
    vault = Vault([key.get_secret_value() for key in settings.CONFIGURATION.data_encryption_keys])
    return [vault.decrypt(key.encrypted_api_key) for key in ProviderKey.objects.order_by("position")]


def test_a_provider_is_made_and_shown_without_its_secrets(operator: httpx.Client) -> None:
    body = {
        "dialect": "openai",
        "base_url": "https://models.example.com/v1/",
        "api_keys": [{"key": SECRETS[0]}, {"key": SECRETS[1], "weight": 3}, {"key": "short"}],
        "timeouts": {"connect": 2, "first_byte": 0.5, "idle": None},
        "on_disconnect": "drain",
    }

    answer = operator.post(MINE, json=body)

    assert told(answer) == {
        "type": "provider",
        "name": "mine",
        "origin": "configured",
        "preset": None,
        "dialect": "openai",
        "base_url": "https://models.example.com/v1",
        "api_keys": [
            {"hint": "cdef", "weight": 100},
            {"hint": "3210", "weight": 3},
            {"hint": "", "weight": 100},
        ],
        "timeouts": {"connect": 2.0, "first_byte": 0.5, "idle": None},
        "on_disconnect": "drain",
        "batches": "emulated",
    }
    assert told(operator.get(MINE)) == answer.json()
    assert stored() == [*SECRETS, "short"]
    (line,) = lines()
    assert (line.action, line.target_id, line.organization_id) == ("provider.created", "mine", None)
    for text in (answer.text, operator.get(LIST).text, str(line.details)):
        assert not any(secret in text for secret in (*SECRETS, "short"))


def test_a_preset_brings_its_dialect_and_address(operator: httpx.Client) -> None:
    shown = told(operator.post(MINE, json={"preset": "openai"}))

    assert (shown["preset"], shown["dialect"]) == ("openai", "openai")
    assert shown["base_url"] == "https://api.openai.com/v1"
    elsewhere = told(operator.post(MINE, json={"preset": "openai", "base_url": "http://proxy.example/v1"}))
    assert elsewhere["base_url"] == "http://proxy.example/v1"


def test_what_is_not_given_stays_and_what_is_the_same_leaves_no_line(operator: httpx.Client) -> None:
    first = told(
        operator.post(MINE, json=PLACE | {"api_keys": [{"key": SECRETS[0]}], "on_disconnect": "drain"})
    )

    assert told(operator.post(MINE, json=PLACE)) == first
    assert len(lines()) == 1
    moved = told(operator.post(MINE, json=PLACE | {"base_url": "http://10.0.0.2"}))
    assert moved == first | {"base_url": "http://10.0.0.2"}
    assert lines()[-1].details == {"base_url": ["http://10.0.0.1", "http://10.0.0.2"]}
    changed = told(operator.post(MINE, json=PLACE | {"api_keys": [{"key": SECRETS[1], "weight": 2}]}))
    assert changed["api_keys"] == [{"hint": "3210", "weight": 2}]
    assert lines()[-1].details["api_keys"] == ["none", "(secret)"]
    assert told(operator.post(MINE, json=PLACE | {"api_keys": []}))["api_keys"] == []
    assert stored() == []


def test_a_provider_takes_batches_itself_for_as_long_as_it_speaks_the_dialect(operator: httpx.Client) -> None:
    assert told(operator.post(MINE, json=PLACE | {"batches": "native"}))["batches"] == "native"
    assert told(operator.post(MINE, json=PLACE))["batches"] == "native"

    translated = {"dialect": "openai", "base_url": "http://10.0.0.1/v1"}

    assert told(operator.post(MINE, json=translated))["batches"] == "emulated"
    assert lines()[-1].details["batches"] == ["native", "emulated"]


KEYS = "api_keys.0.key: expected the provider's key: up to 4000 printable characters without spaces"
WRONG: list[tuple[dict[str, Any], str]] = [
    ({}, "dialect: Field required"),
    (
        {"dialect": "gopher"},
        'dialect: "gopher" is not a valid value; expected one of anthropic, openai, simulator',
    ),
    ({"dialect": "anthropic"}, "base_url: Field required"),
    ({"preset": "nobody"}, 'preset: "nobody" is not a valid value; expected one of ' + PRESETS),
    (
        {"preset": "openai", "dialect": "anthropic"},
        "dialect: the preset openai speaks openai; leave dialect out",
    ),
    (PLACE | {"base_url": "ftp://example.com"}, "base_url: expected an http:// or https:// address"),
    (
        PLACE | {"base_url": "http://olga:secret@example.com"},
        "base_url: expected an address without a user name or password; use api_key",
    ),
    (
        {"dialect": "openai", "base_url": "http://example.com"},
        "base_url: expected an address that ends in /v1, such as http://example.com/v1",
    ),
    (PLACE | {"base_url": "http://a/" + "a" * 500}, "base_url: String should have at most 500 characters"),
    (PLACE | {"api_keys": "sk"}, "api_keys: Input should be a valid list"),
    (PLACE | {"api_keys": [{}]}, "api_keys.0.key: Field required"),
    (PLACE | {"api_keys": [{"key": "two words"}]}, KEYS),
    (PLACE | {"api_keys": [{"key": ""}]}, "api_keys.0.key: String should have at least 1 character"),
    (PLACE | {"api_keys": [{"key": "schlüssel"}]}, KEYS),
    (PLACE | {"api_keys": [{"key": "a" * 4001}]}, KEYS),
    (
        PLACE | {"api_keys": [{"key": "sk", "weight": 0}]},
        "api_keys.0.weight: Input should be greater than or equal to 1",
    ),
    (PLACE | {"api_keys": [{"key": "sk"}, {"key": "sk"}]}, "api_keys: a key stands here twice"),
    (PLACE | {"timeouts": {"idle": 0}}, "timeouts.idle: Input should be above 0 and up to 86400"),
    (PLACE | {"timeouts": {"idle": 86401}}, "timeouts.idle: Input should be above 0 and up to 86400"),
    (PLACE | {"timeouts": {"idle": "nan"}}, "timeouts.idle: Input should be a valid number"),
    (PLACE | {"timeouts": {"idle": True}}, "timeouts.idle: Input should be a valid number"),
    (PLACE | {"timeouts": {"read": 1}}, "timeouts.read: Extra inputs are not permitted"),
    (
        PLACE | {"on_disconnect": "wait"},
        'on_disconnect: "wait" is not a valid value; expected one of abort, drain',
    ),
    (
        PLACE | {"batches": "both"},
        'batches: "both" is not a valid value; expected one of emulated, native',
    ),
    (
        {"preset": "openai", "batches": "native"},
        "batches: only a provider of the anthropic dialect can take batches itself",
    ),
    (PLACE | {"api_key": "sk"}, "api_key: Extra inputs are not permitted"),
]


def test_a_wrong_body_is_refused_by_name(operator: httpx.Client) -> None:
    said = [refusal(operator.post(MINE, json=body)) for body, _ in WRONG]

    assert said == [message for _, message in WRONG]
    assert not Provider.objects.filter(name="mine").exists()
    assert lines() == []


def test_a_name_that_nothing_may_have_is_refused(operator: httpx.Client) -> None:
    for name in ("a%20b", "a%00b", "a" * 65, "%E2%80%AE"):
        message = refusal(operator.post(f"{LIST}/{name}", json=PLACE))

        assert message == "name: expected a name of 1 to 64 characters without spaces"
        assert refusal(operator.get(f"{LIST}/{name}"), 404, "not_found_error") == "Provider not found."


def test_the_simulator_keeps_its_name_and_stays(operator: httpx.Client) -> None:
    simulator = f"{LIST}/simulator"

    assert told(operator.get(simulator))["origin"] == "simulator"
    message = refusal(operator.post(simulator, json=PLACE))
    assert message == "name: belongs to the built-in simulator; choose another one"
    assert refusal(operator.delete(simulator)).endswith("the built-in simulator cannot be removed")


def test_a_provider_is_removed(operator: httpx.Client) -> None:
    operator.post(MINE, json=PLACE | {"api_keys": [{"key": SECRETS[0]}]})

    assert told(operator.delete(MINE)) == {"name": "mine", "type": "provider_deleted"}

    assert refusal(operator.get(MINE), 404, "not_found_error") == "Provider not found."
    assert refusal(operator.delete(MINE), 404, "not_found_error") == "Provider not found."
    assert not ProviderKey.objects.exists()
    assert [line.action for line in lines()] == ["provider.created", "provider.removed"]


def test_the_only_provider_of_a_model_stays(operator: httpx.Client) -> None:
    operator.post(MINE, json=PLACE)
    for name, routes in {
        "here": [RouteTo("mine", "x"), RouteTo("mine", "y")],
        "both": [RouteTo("mine", "x"), RouteTo("simulator", "x")],
    }.items():
        models.upsert(actor=SYSTEM, name=name, routes=routes)

    message = refusal(operator.delete(MINE))

    assert message == "providers.mine: here would have no route left; change or remove them first"
    operator.delete("/models/here")
    assert told(operator.delete(MINE))["type"] == "provider_deleted"
    assert [route["provider"] for route in told(operator.get("/models/both"))["routes"]] == ["simulator"]


def test_the_list_is_walked_in_both_directions(operator: httpx.Client) -> None:
    for name in ("a", "b/c:d", "e"):
        operator.post(f"{LIST}/{name}", json=PLACE)

    assert walked(operator, LIST, "name", limit=2) == [["e", "b/c:d"], ["a", "simulator"]]
    assert walked_back(operator, LIST, "name", "simulator", limit=2) == [["b/c:d", "a"], ["e"]]
    assert told(operator.get(f"{LIST}/b/c:d"))["name"] == "b/c:d"
    assert refusal(operator.get(LIST, params={"after_id": "z"})).startswith(
        "after_id: no object of this list"
    )
    assert refusal(operator.get(LIST, params={"limit": "1001"})).startswith("limit: ")


def test_many_may_set_up_one_provider_at_once(operator: httpx.Client) -> None:
    body = PLACE | {"api_keys": [{"key": SECRETS[0]}]}
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: operator.post(MINE, json=body), range(8)))

    assert {answer.status_code for answer in answers} == {200}
    assert [line.action for line in lines()] == ["provider.created"]


def test_a_page_costs_as_many_queries_however_long_it_is(
    db: None, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    headers = {"x-api-key": operator_key()[1]}
    for number in range(10):
        keys = [WeightedKey(f"sk-{number}-{position}") for position in range(3)]
        providers.upsert(actor=SYSTEM, name=f"p{number}", api_keys=keys, **PLACE)

    with django_assert_num_queries(3):  # the operator's key, the page, all its keys
        page = Client().get(f"{PLATFORM}{LIST}?limit=10", headers=headers).json()

    assert len(page["data"]) == 10 and page["has_more"]
    assert all(len(item["api_keys"]) == 3 for item in page["data"])
