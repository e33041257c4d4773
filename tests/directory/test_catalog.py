"""Who gets a name, what else clients may call a model, and in which order targets are tried."""

from __future__ import annotations

import datetime
from collections import Counter
from decimal import Decimal

import msgspec
import pytest

from gateway.directory.catalog import CatalogModel, NextPrice, Target, catalog_of, permitted
from gateway.model_rules import rules_of
from gateway.price import Rates
from tests.limits.pools import unlimited


def model(name: str, *targets: Target, aliases: tuple[str, ...] = (), day: int = 1) -> CatalogModel:
    return CatalogModel(
        name=name,
        display_name=name.title(),
        created_at=datetime.datetime(2026, 1, day, tzinfo=datetime.UTC),
        max_input_tokens=None,
        max_output_tokens=None,
        price=None,
        targets=targets,
        aliases=aliases,
    )


def target(provider: str, name: str = "", *, priority: int = 1, weight: float = 100) -> Target:
    return Target(
        provider,
        "anthropic",
        "https://example.com",
        upstream_model=name,
        priority=priority,
        weight=weight,
    )


def test_a_configured_name_beats_the_simulators() -> None:
    configured, simulated = model("claude-a"), model("claude-a", target("simulator"))
    catalog = catalog_of([configured], [simulated])
    assert catalog.find("claude-a") is configured
    assert catalog.find("simulator/claude-a") is None
    assert catalog.models == (configured,)


def test_a_configured_alias_hides_a_simulated_model() -> None:
    configured, simulated = model("claude-a", aliases=("claude-b",)), model("claude-b")
    catalog = catalog_of([configured], [simulated])
    assert catalog.find("claude-b") is configured
    assert catalog.models == (configured,)


def test_a_name_beats_an_alias_of_the_same_group() -> None:
    one, two = model("claude-a", aliases=("claude-b", "a")), model("claude-b", day=2)
    catalog = catalog_of([one, two])
    assert catalog.find("claude-b") is two
    assert [found.name for found in catalog.models] == ["claude-b", "claude-a"]
    assert catalog.models[1].names == ("claude-a", "a")  # no rule about the other model reaches this one


BOTH = model("claude-a", target("first", "a-1"), target("second", "vendor/a"), aliases=("a", "first/sonnet"))
DATED = model("claude-b-20250101", target("first", "claude-a"))
CATALOG = catalog_of([BOTH, DATED])


@pytest.mark.parametrize(
    ("name", "providers"),
    [
        ("claude-a", ["first", "second"]),
        ("a", ["first", "second"]),
        ("first/sonnet", ["first", "second"]),  # an alias, whatever it looks like
        ("first/claude-a", ["first"]),
        ("second/claude-a", ["second"]),
        ("second/a", ["second"]),
        ("second/first/sonnet", ["second"]),
        ("first/a-1", ["first"]),
        ("second/vendor/a", ["second"]),
        ("claude-a-20250929", ["first", "second"]),
        ("claude-a-2025-09-29", ["first", "second"]),
        ("claude-a@20250929", ["first", "second"]),
        ("claude-a-latest", ["first", "second"]),
        ("a-latest", ["first", "second"]),
        ("second/claude-a-20250929", ["second"]),
    ],
)
def test_a_model_is_found_under_every_name_of_its_and_through_one_provider(
    name: str, providers: list[str]
) -> None:
    found = CATALOG.find(name)

    assert found is not None
    assert [one.provider for one in found.targets] == providers
    assert found.names == ("claude-a", "a", "first/sonnet")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "claude",
        "claude-b",
        "Claude-A",
        "third/claude-a",
        "first/",
        "/claude-a",
        "second/a-1",
        "claude-a-2025",
        "claude-a-20251301",
        "claude-a-2025-0929",
        "claude-a-20250929-latest",
        "claude-a-20250929\n",
        "claude-a-\u0662\u0660250929",
        "claude-a@latest",
        "-latest",
        "second/claude-b-20250101",
    ],
)
def test_any_other_name_is_nobodys(name: str) -> None:
    names = len(CATALOG.names)

    assert CATALOG.find(name) is None
    assert len(CATALOG.names) == names  # unknown names are not remembered


def test_a_dated_model_is_not_mistaken_for_an_undated_one() -> None:
    undated = model("claude-b", target("second"))
    catalog = catalog_of([DATED, undated])

    assert catalog.find("claude-b-20250101") is DATED
    assert catalog.find("claude-b-20240101") is undated


def test_through_a_provider_the_catalogs_name_beats_the_providers_own() -> None:
    assert CATALOG.find("first/claude-a").name == "claude-a"
    assert CATALOG.find("first/claude-b-20250101") is DATED  # one provider: nothing to leave out


def test_models_that_rules_forbid_are_left_out_of_lists() -> None:
    ruled = unlimited("wrkspc_1", rules_of(("organization", ["claude-*"], ["a"])))
    free = unlimited("wrkspc_2")

    assert permitted(CATALOG.models, free) is CATALOG.models
    assert permitted(CATALOG.models, ruled) == [DATED]


def test_targets_are_tried_by_priority_and_within_one_by_weight() -> None:
    last = target("last", priority=2)
    often, seldom = target("often", weight=90), target("seldom", weight=10)
    served = model("claude-a", last, seldom, often)
    orders = Counter(tuple(one.provider for one in served.ordered_targets()) for _ in range(2_000))
    assert set(orders) == {("often", "seldom", "last"), ("seldom", "often", "last")}
    assert 1_700 < orders[("often", "seldom", "last")] < 1_900
    assert "api_key" not in repr(target("often"))


def test_very_small_weights_are_weights_too() -> None:
    served = model("claude-a", target("seldom", weight=1e-6), target("often", weight=9e-6))
    first = Counter(served.ordered_targets()[0].provider for _ in range(2_000))
    assert 1_700 < first["often"] < 1_900


def test_the_order_is_that_of_the_numbers_drawn_for_each_target() -> None:
    served = model("claude-a", target("one"), target("two"), target("three"), target("last", priority=2))
    drawn = {"one": 0.2, "two": 0.9, "three": 1.0, "last": 1.0}

    orders = [served.ordered_targets(lambda one: drawn[one.provider]) for _ in range(2)]

    assert [[one.provider for one in order] for order in orders] == [["three", "two", "one", "last"]] * 2


def test_for_a_single_target_nothing_is_drawn() -> None:
    only = target("only")
    assert model("claude-a", only).ordered_targets(lambda _: 1 / 0) == [only]


NOON = datetime.datetime(2026, 12, 1, 12, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)
OLD, NEW, NEWER = (Rates(version, *[Decimal(version)] * 5) for version in (1, 2, 3))


def test_prices_change_at_their_moment_however_a_model_is_asked_for() -> None:
    steps = (NextPrice(NOON, NEW), NextPrice(NOON + 2 * HOUR, NEWER))
    priced = msgspec.structs.replace(
        model("claude-a", target("one"), target("two"), aliases=("a",)), price=OLD, next_prices=steps
    )
    catalog = catalog_of([priced, model("claude-b")])
    names = ("claude-a", "a", "one/claude-a", "two/a", "claude-a-20260101")

    def prices_at(now: datetime.datetime) -> set[Rates | None]:
        return {found.price for name in names if (found := catalog.priced_at(now).find(name))}

    assert catalog.next_price_at == NOON
    assert catalog.priced_at(NOON - HOUR) is catalog
    assert [prices_at(NOON + shift) for shift in (-HOUR, 0 * HOUR, HOUR, 2 * HOUR, 9 * HOUR)] == [
        {OLD},
        {NEW},
        {NEW},
        {NEWER},
        {NEWER},
    ]
    assert catalog.priced_at(NOON).next_price_at == NOON + 2 * HOUR
    assert catalog.priced_at(NOON + 3 * HOUR).next_price_at is None
    assert catalog.priced_at(NOON).models[1] is not priced
    assert [found.name for found in catalog.priced_at(NOON).models] == [
        found.name for found in catalog.models
    ]


def test_a_model_may_get_its_first_price_later() -> None:
    unpriced = msgspec.structs.replace(model("claude-a"), next_prices=(NextPrice(NOON, NEW),))
    catalog = catalog_of([unpriced])

    assert unpriced.price_version is None
    assert catalog.priced_at(NOON).models[0].price_version == NEW.id
