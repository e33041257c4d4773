"""Prices of a list of our own making, in the shapes that genai-prices has."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from decimal import Decimal

import pytest
from genai_prices.data_snapshot import DataSnapshot, get_snapshot, set_custom_snapshot
from genai_prices.types import (
    ClauseEquals,
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    PriceVariant,
    Provider,
    StartDateConstraint,
    Tier,
    TieredPrices,
    TimeOfDateConstraint,
)

from admin_api.catalog import Rates
from gateway.price import BATCH_FACTOR, LongContext
from gateway.price_list.published import LISTED, Unpublished, published
from gateway.protocol.vendors import VENDORS

NOW = datetime.datetime(2026, 12, 1, tzinfo=datetime.UTC)
NEXT_YEAR = StartDateConstraint(start_date=datetime.date(2027, 1, 1))
PLAIN = ModelPrice(input_mtok=Decimal(2), output_mtok=Decimal(8))
DEARER = ModelPrice(input_mtok=Decimal(3), output_mtok=Decimal(9))


@pytest.fixture(autouse=True)
def no_list_stays() -> Iterator[None]:
    yield
    set_custom_snapshot(None)


def of(prices: ModelPrice | list[ConditionalPrice], variants: list[PriceVariant] | None = None) -> Rates:
    info = ModelInfo(id="m", match=ClauseEquals("m"), prices=prices, price_variants=variants)
    openai = Provider(id="openai", name="OpenAI", api_pattern=r"https://api\.openai\.com", models=[info])
    set_custom_snapshot(DataSnapshot(providers=[openai], from_auto_update=False))
    return published("openai", "", "m", NOW)


def tiered(*steps: tuple[int, int]) -> TieredPrices:
    return TieredPrices(base=Decimal(1), tiers=[Tier(start=at, price=Decimal(price)) for at, price in steps])


def batch(**prices: Decimal) -> list[PriceVariant]:
    return [PriceVariant(when={"processing": "batch"}, prices=ModelPrice(**prices))]


def test_caches_that_the_list_does_not_name_cost_as_much_as_input() -> None:
    rates = of(PLAIN)

    assert (rates.cache_read, rates.cache_write_5m, rates.cache_write_1h) == (2, 2, 2)
    assert (rates.web_search, rates.long_context, rates.effective_at) == (0, None, None)


def test_a_class_without_steps_costs_the_same_in_a_long_context() -> None:
    price = ModelPrice(
        input_mtok=tiered((200_000, 2)), output_mtok=Decimal(5), cache_read_mtok=tiered((200_000, 3))
    )

    one, two, three, five = map(Decimal, (1, 2, 3, 5))
    rates = of(price)
    assert (rates.input, rates.output, rates.cache_read) == (one, five, one)
    assert rates.long_context == LongContext(200_000, two, five, three, two, two)


@pytest.mark.parametrize(
    ("variants", "factor"),
    [
        (None, BATCH_FACTOR),
        (batch(input_mtok=Decimal("0.5"), output_mtok=Decimal(2)), Decimal("0.25")),
        (batch(input_mtok=Decimal("0.5"), output_mtok=Decimal(4)), BATCH_FACTOR),
        (batch(input_mtok=Decimal(3), output_mtok=Decimal(12)), BATCH_FACTOR),
    ],
)
def test_a_batch_costs_half_unless_the_list_knows_better(
    variants: list[PriceVariant] | None, factor: Decimal
) -> None:
    assert of(PLAIN, variants).batch_factor == factor


def test_the_price_of_now_counts() -> None:
    assert of([ConditionalPrice(prices=PLAIN), ConditionalPrice(NEXT_YEAR, prices=DEARER)]).input == 2


NIGHT = TimeOfDateConstraint(start_time=datetime.time(0), end_time=datetime.time(6))


@pytest.mark.parametrize(
    ("prices", "reason"),
    [
        (
            [ConditionalPrice(prices=PLAIN), ConditionalPrice(NIGHT, prices=DEARER)],
            "changes with the time of day",
        ),
        (
            ModelPrice(input_mtok=tiered((1, 2), (2, 3)), output_mtok=Decimal(1)),
            "rises in more than one step",
        ),
        (ModelPrice(input_mtok=tiered((1, 2)), output_mtok=tiered((2, 3))), "rises in more than one step"),
        (ModelPrice(input_mtok=Decimal(1)), "is not charged by tokens"),
        (ModelPrice(input_mtok=Decimal("1e-11"), output_mtok=Decimal(1)), "more decimal places"),
    ],
)
def test_what_cannot_be_charged_so_is_no_price(
    prices: ModelPrice | list[ConditionalPrice], reason: str
) -> None:
    with pytest.raises(Unpublished, match=reason):
        of(prices)


def test_a_model_of_another_provider_is_not_taken_for_it() -> None:
    of(PLAIN)

    assert published("", "https://api.openai.com/v1", "m", NOW).input == 2
    for preset, base_url in (("anthropic", ""), ("", "https://example.com"), ("", ""), ("ollama", "")):
        with pytest.raises(Unpublished, match="the list does not know it"):
            published(preset, base_url, "m", NOW)


def test_the_installed_list_has_every_provider_that_a_preset_is_renamed_to() -> None:
    listed = {provider.id for provider in get_snapshot().providers}

    assert LISTED.keys() <= VENDORS.keys()
    assert set(LISTED.values()) <= listed
    assert listed >= {
        "anthropic",
        "openai",
        "azure",
        "groq",
        "mistral",
        "openrouter",
        "together",
        "fireworks",
    }
