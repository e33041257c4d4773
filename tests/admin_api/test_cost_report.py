"""`cost_report`: exact cents, whole or by what they were spent on. Sums are in the property test."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from gateway.models import Model
from gateway.token_usage import TokenUsage
from tests.admin_api.report import COST, DAY, HOUR, MONDAY, Office, office, results
from tests.metering.ledger import Ledger
from tests.people import Cast


@pytest.fixture
def our(people: Cast, ledger: Ledger) -> Office:
    return office(people, ledger)


def test_without_grouping_a_day_has_one_amount_in_cents(our: Office) -> None:
    price = our.ledger.price(input=3, output=15)
    our.use(MONDAY, usage=TokenUsage(411_500), price_version=price)
    our.use(MONDAY + HOUR, usage=TokenUsage(0, output_tokens=1), price_version=price)

    report = our.ask(COST, starting_at=MONDAY, ending_at=MONDAY + 2 * DAY)

    nothing = dict.fromkeys(
        ["cost_type", "description", "model", "token_type", "service_tier", "context_window", "inference_geo"]
    )
    assert [bucket["results"] for bucket in report["data"]] == [
        [{"amount": "123.4515", "currency": "USD", **nothing, "workspace_id": None}],
        [],
    ]


def test_by_description_each_class_of_tokens_is_told_apart(our: Office) -> None:
    price = our.ledger.price(input=1, cache_read=2, cache_write_5m=3, cache_write_1h=4, output=5)
    name = "Claude Sonnet 4.5"
    Model.objects.filter(name="claude-sonnet-4-5").delete()
    Model.objects.create(name="claude-sonnet-4-5", display_name=name)
    our.use(usage=TokenUsage(*[10_000] * 5), price_version=price)
    our.use(usage=TokenUsage(300_000), price_version=price, service_tier="batch", workspace_id=our.lab.id)

    found = results(our.walk(COST, starting_at=MONDAY, group_by=["description", "workspace_id"]))

    common = {"currency": "USD", "cost_type": "tokens", "model": "claude-sonnet-4-5"}
    common |= {"inference_geo": "not_available"}
    plain = {**common, "service_tier": "standard", "context_window": "0-200k", "workspace_id": None}
    batch = {**common, "service_tier": "batch", "context_window": "200k-1M", "workspace_id": our.lab.id}
    rows = [
        (plain, "1", "uncached_input_tokens", "input tokens"),
        (plain, "3", "cache_creation.ephemeral_5m_input_tokens", "tokens cached for 5 minutes"),
        (plain, "4", "cache_creation.ephemeral_1h_input_tokens", "tokens cached for an hour"),
        (plain, "2", "cache_read_input_tokens", "tokens read from the cache"),
        (plain, "5", "output_tokens", "output tokens"),
        (batch, "15", "uncached_input_tokens", "input tokens (batch, long context)"),
    ]
    expected = [
        {**row, "amount": amount, "token_type": token_type, "description": f"{name}: {words}"}
        for row, amount, token_type, words in rows
    ]
    by_workspace = sorted(expected, key=lambda row: row["workspace_id"] or our.default.id)
    assert found == by_workspace


def test_web_searches_are_told_apart_whatever_model_made_them(our: Office) -> None:
    price = our.ledger.price(web_search=10)
    for model, workspace, searches in (("a", our.lab, 1), ("b", our.lab, 2), ("a", our.default, 4)):
        our.use(
            usage=TokenUsage(),
            model=model,
            workspace_id=workspace.id,
            web_search_requests=searches,
            price_version=price,
        )

    found = results(our.walk(COST, starting_at=MONDAY, group_by=["description", "workspace_id"]))

    nothing = dict.fromkeys(["model", "token_type", "service_tier", "context_window", "inference_geo"])
    common = {"currency": "USD", "cost_type": "web_search", "description": "Web searches", **nothing}
    expected = {None: "4", our.lab.id: "3"}
    assert {one.pop("workspace_id"): one.pop("amount") for one in found} == expected
    assert found == [common] * 2
    (whole,) = results(our.walk(COST, starting_at=MONDAY))
    assert (whole["amount"], whole["cost_type"]) == ("7", None)


def test_an_amount_is_a_plain_decimal_however_small_or_large(our: Office) -> None:
    rates = {"m0": "0.0000000001", "m1": "100", "m2": "9999999999"}
    for model, rate in rates.items():
        version = our.ledger.price(input=rate)
        our.use(usage=TokenUsage(1 if model == "m0" else 10**9), price_version=version, model=model)

    found = results(our.walk(COST, starting_at=MONDAY, group_by=["description"]))

    assert {one["model"]: one["amount"] for one in found} == {
        "m0": "0.00000000000001",
        "m1": "10000000",
        "m2": "999999999900000",
    }
    (whole,) = results(our.walk(COST, starting_at=MONDAY))
    assert Fraction(whole["amount"]) == sum(Fraction(one["amount"]) for one in found)


def test_what_has_no_price_is_there_and_costs_nothing(our: Office) -> None:
    our.use(price_version=None, model="gpt-nobody-knows")

    found = results(our.walk(COST, starting_at=MONDAY, group_by=["description"]))

    assert [(one["description"], one["amount"]) for one in found] == [
        ("gpt-nobody-knows: input tokens", "0"),
        ("gpt-nobody-knows: output tokens", "0"),
    ]


@pytest.mark.parametrize(
    ("field", "asked"),
    [
        ("bucket_width", {"bucket_width": "1h"}),
        ("group_by", {"group_by": ["model"]}),
        ("limit", {"limit": 0}),
        ("limit", {"limit": 32}),
        ("ending_at", {"ending_at": MONDAY - DAY}),
        ("starting_at", {"starting_at": "monday"}),
        ("page", {"page": "page_2"}),
    ],
)
def test_bad_input_is_refused_by_its_name(our: Office, field: str, asked: dict[str, Any]) -> None:
    message = our.refused(COST, **{"starting_at": MONDAY, **asked})

    assert message.split(":")[0].split(".")[0] == field


def test_a_page_costs_its_statement_and_the_keys(
    our: Office, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for model in ("m1", "m2", "m3"):
        our.use(model=model)

    with django_assert_num_queries(1):  # the key; the page itself is streamed past Django
        found = our.ask(COST, starting_at=MONDAY, group_by=["description", "workspace_id"])
    assert len(results(found["data"])) == 6


def test_another_organization_sees_nothing_of_it(our: Office) -> None:
    our.use(price_version=our.ledger.price())

    for group_by in ([], ["workspace_id"], ["description"]):
        asked = {"starting_at": MONDAY, "group_by": group_by}
        assert results(our.walk(COST, **asked, secret=our.other_secret)) == []
        assert results(our.walk(COST, **asked)) != []
