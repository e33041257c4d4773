"""Who gets a name, and in which order targets are tried."""

from __future__ import annotations

import datetime
from collections import Counter

from gateway.directory.catalog import CatalogModel, Target, catalog_of


def model(name: str, *targets: Target, day: int = 1) -> CatalogModel:
    return CatalogModel(
        name=name,
        display_name=name.title(),
        created_at=datetime.datetime(2026, 1, day, tzinfo=datetime.UTC),
        max_input_tokens=None,
        max_output_tokens=None,
        price_version=None,
        targets=targets,
    )


def target(provider: str, *, priority: int = 1, weight: int = 100) -> Target:
    return Target(provider, "anthropic", "https://example.com", priority=priority, weight=weight)


def test_a_configured_name_beats_the_simulators() -> None:
    configured, simulated = model("claude-a"), model("claude-a")
    catalog = catalog_of([(configured, [])], [(simulated, ["other"])])
    assert catalog.find("claude-a") is configured
    assert catalog.models == (configured,)


def test_a_configured_alias_hides_a_simulated_model() -> None:
    configured, simulated = model("claude-a"), model("claude-b")
    catalog = catalog_of([(configured, ["claude-b"])], [(simulated, [])])
    assert catalog.find("claude-b") is configured
    assert catalog.models == (configured,)


def test_a_name_beats_an_alias_of_the_same_group() -> None:
    one, two = model("claude-a"), model("claude-b", day=2)
    catalog = catalog_of([(one, ["claude-b"]), (two, [])])
    assert catalog.find("claude-b") is two
    assert catalog.models == (two, one)


def test_targets_are_tried_by_priority_and_within_one_by_weight() -> None:
    last = target("last", priority=2)
    often, seldom = target("often", weight=90), target("seldom", weight=10)
    served = model("claude-a", last, seldom, often)
    orders = Counter(tuple(one.provider for one in served.ordered_targets()) for _ in range(2_000))
    assert set(orders) == {("often", "seldom", "last"), ("seldom", "often", "last")}
    assert 1_700 < orders[("often", "seldom", "last")] < 1_900
    assert "api_key" not in repr(target("often"))
