"""Which batches a provider gets whole."""

from __future__ import annotations

import datetime

import msgspec
import pytest

from gateway.batches.item_call import Owner
from gateway.batches.passage import decide
from gateway.budgets import Budget, Budgets
from gateway.directory.catalog import CatalogModel, Target, catalog_of
from gateway.model_rules import rules_of
from gateway.principal import Principal, Workspace
from tests.limits.pools import ACME, unlimited

FREE = unlimited("wrkspc_1")


def way(provider: str, key: str = "1", *, native: bool = True) -> Target:
    return Target(provider, "anthropic", "https://example.com", key_id=key, native_batches=native)


def model(name: str, *targets: Target, aliases: tuple[str, ...] = ()) -> CatalogModel:
    created = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    return CatalogModel(name, name, created, None, None, None, targets, aliases)


CATALOG = catalog_of(
    [
        model("large", way("theirs"), aliases=("big",)),
        model("small", way("theirs", "1"), way("theirs", "2")),
        model("elsewhere", way("others")),
        model("spare", way("theirs"), way("others")),
        model("either", way("theirs"), way("slow", native=False)),
        model("plain", way("plain", native=False)),
        model("nowhere"),
    ]
)


def provider_of(names: list[str], workspace: Workspace = FREE) -> str | None:
    owner = Owner(Principal("apikey_1", "api", ACME, "Acme", "", None, (workspace,), False), workspace)
    target = decide({"model_names": names}, CATALOG, owner)
    return None if target is None else target.provider


@pytest.mark.parametrize(
    ("names", "provider"),
    [
        (["large"], "theirs"),
        (["big", "large-20260101", "small"], "theirs"),
        (["theirs/spare"], "theirs"),
        (["large", "elsewhere"], None),
        (["spare"], None),
        (["either"], None),
        (["plain"], None),
        (["nowhere"], None),
        (["large", "unheard-of"], None),
        (["large", ""], None),
        ([], None),
    ],
)
def test_only_what_goes_to_one_provider_that_takes_batches_is_carried_whole(
    names: list[str], provider: str | None
) -> None:
    assert provider_of(names) == provider


def test_more_models_than_are_known_are_not() -> None:
    assert provider_of(["large"] * 99) == "theirs"
    assert provider_of(["large"] * 100) is None


def test_what_the_key_may_not_use_is_not() -> None:
    ruled = unlimited("wrkspc_1", rules_of(("workspace", None, ["small"])))

    assert provider_of(["large"], ruled) == "theirs"
    assert provider_of(["large", "small"], ruled) is None


def test_under_a_budget_nothing_is() -> None:
    budget = Budget("limit_1", "workspace", "wrkspc_1", "daily", 10**15)
    held = msgspec.structs.replace(FREE, budgets=Budgets(ACME, (budget,)))

    assert provider_of(["large"], held) is None


def test_keys_are_used_by_their_weight() -> None:
    owner = Owner(Principal("apikey_1", "api", ACME, "Acme", "", None, (FREE,), False), FREE)
    chosen = [decide({"model_names": ["small"]}, CATALOG, owner) for _ in range(200)]

    assert {target.key_id for target in chosen if target} == {"1", "2"}
