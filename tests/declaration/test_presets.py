"""The catalogs of a first run name models that exist, by the official SDKs' own lists."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any, get_args

import pytest
from anthropic.types import ModelParam
from msgspec import UNSET
from openai.types.shared import ChatModel

from gateway.declaration import reading
from gateway.declaration.shapes import Declaration
from gateway.first_run import PRESETS
from gateway.price_list.published import Unpublished, published


def literals(alias: Any) -> set[str]:
    return {name for part in (alias, *get_args(alias)) for name in get_args(part) if isinstance(name, str)}


def preset(name: str) -> Declaration:
    keys = {"UPSTREAM_ANTHROPIC_API_KEY": "sk-a", "UPSTREAM_OPENAI_API_KEY": "sk-o"}
    return reading.read((PRESETS / f"{name}.yaml").read_text(), keys)


@pytest.mark.parametrize(
    ("name", "known"), [("anthropic", literals(ModelParam)), ("openai", literals(ChatModel))]
)
def test_every_name_is_one_that_the_sdk_knows(name: str, known: set[str]) -> None:
    models = preset(name).models
    used = set(models)
    for entry in models.values():
        used |= {route.to.model for route in entry.routes}
        used |= set() if entry.aliases is UNSET else {alias.text for alias in entry.aliases}

    assert len(models) >= 10
    assert used - known == set()


@pytest.mark.parametrize("name", ["anthropic", "openai"])
def test_cached_tokens_never_cost_more_than_fresh_ones(name: str) -> None:
    """A price that was left out would be the input price: every preset price must say its own."""
    priced = [entry.price for entry in preset(name).models.values() if entry.price is not UNSET]

    assert len(priced) >= 10
    for price in priced:
        assert Decimal(0) < price.cache_read <= price.input / 4
        assert price.input <= price.cache_write_5m <= price.cache_write_1h
        assert price.output > price.input


@pytest.mark.parametrize("name", ["anthropic", "openai"])
def test_every_price_is_what_the_installed_list_says(name: str) -> None:
    """A new version of the list that makes this fail is a reason to look at both."""
    now = datetime.datetime.now(datetime.UTC)

    for entry in preset(name).models.values():
        (route,) = entry.routes
        if entry.price is UNSET:
            with pytest.raises(Unpublished):
                published(name, "", route.to.model, now)
        else:
            assert entry.price == published(name, "", route.to.model, now), route.to.model
