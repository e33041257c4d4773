"""Costs are exact: compared with fractions, which know no rounding."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.price import LongContext, Rates, charges
from gateway.token_usage import TokenUsage

CLASSES = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output")
LAST_PLACE = Fraction(1, 10**16)

rate = st.decimals(min_value=0, max_value=1000, places=10)
factor = st.decimals(min_value=0, max_value=1, places=10)
threshold = st.sampled_from([0, 1, 200_000, 10**10])
classes = dict.fromkeys(CLASSES, rate)
long_contexts = st.none() | st.builds(LongContext, threshold=threshold, **classes)
rates = st.builds(
    Rates, id=st.just(1), **classes, batch_factor=factor, web_search=rate, long_context=long_contexts
)
tokens = st.sampled_from([0, 1, 199_999, 200_000]) | st.integers(0, 10**9)
usages = st.builds(TokenUsage, tokens, tokens, tokens, tokens, tokens)
searches = st.integers(0, 10**6)
tiers = st.sampled_from(["standard", "priority", "batch"])

SONNET = Rates(
    1,
    *map(Decimal, ("3", "15", "0.3", "3.75", "6")),
    web_search=Decimal(10),
    long_context=LongContext(200_000, *map(Decimal, ("6", "22.5", "0.6", "7.5", "12"))),
)


def test_each_token_class_has_a_rate_of_its_own() -> None:
    usage = {name: TokenUsage(**{name: 100_000}) for name in TokenUsage.__struct_fields__}

    assert {name: charges(SONNET, one, "standard").total * 10 for name, one in usage.items()} == {
        "input_tokens": Decimal(3),
        "cache_read_tokens": Decimal("0.3"),
        "cache_write_5m_tokens": Decimal("3.75"),
        "cache_write_1h_tokens": Decimal(6),
        "output_tokens": Decimal(15),
    }


def test_a_batch_costs_half_unless_its_price_says_otherwise() -> None:
    one = TokenUsage(input_tokens=1)
    fifth = dataclasses.replace(SONNET, batch_factor=Decimal("0.2"))

    assert charges(SONNET, one, "batch").total == Decimal("0.0000015")
    assert charges(fifth, one, "batch").total == Decimal("0.0000006")


def test_web_searches_are_charged_by_the_thousand_and_cost_as_much_in_a_batch() -> None:
    for tier in ("standard", "batch"):
        assert charges(SONNET, TokenUsage(), tier, 3).total == Decimal("0.03")


@pytest.mark.parametrize("class_", ["input_tokens", "cache_read_tokens", "cache_write_5m_tokens"])
def test_one_token_above_the_threshold_the_whole_request_is_charged_as_long(class_: str) -> None:
    short = TokenUsage(**{"cache_write_1h_tokens": 100_000, class_: 100_000}, output_tokens=10)
    long = msgspec.structs.replace(short, **{class_: 100_001})

    assert charges(SONNET, short, "standard").output == Decimal("0.00015")
    assert charges(SONNET, long, "standard").output == Decimal("0.000225")
    assert charges(SONNET, long, "standard").cache_write_1h == Decimal("1.2")


def test_output_does_not_make_a_context_long() -> None:
    assert charges(SONNET, TokenUsage(output_tokens=10**6), "standard").total == Decimal(15)


def test_without_a_price_there_is_no_cost() -> None:
    assert charges(None, TokenUsage(input_tokens=1), "standard", 1).total == Decimal(0)


@given(rates, usages, tiers, searches)
def test_the_whole_is_exactly_the_sum_of_six_parts(
    rates: Rates, usage: TokenUsage, tier: str, searches: int
) -> None:
    whole = charges(rates, usage, tier, searches)

    assert Fraction(whole.total) == sum(map(Fraction, dataclasses.astuple(whole)))
    assert len(dataclasses.astuple(whole)) == 6


@given(rates, usages, searches)
def test_a_cost_is_exact_to_the_last_place(rates: Rates, usage: TokenUsage, searches: int) -> None:
    """What is not rounded at all is the same however its figures arrived: streamed, or in one answer."""
    told = charges(rates, usage, "standard", searches)

    assert {name: Fraction(getattr(told, name)) for name in (*CLASSES, "web_search")} == {
        **exact(rates, usage),
        "web_search": Fraction(rates.web_search) * searches / 1000,
    }


@given(rates, usages)
def test_a_batch_is_wrong_by_at_most_half_the_last_place_of_each_class(
    rates: Rates, usage: TokenUsage
) -> None:
    told = charges(rates, usage, "batch")

    for name, whole in exact(rates, usage).items():
        wrong = Fraction(getattr(told, name)) - whole * Fraction(rates.batch_factor)
        assert abs(wrong) <= LAST_PLACE / 2


@given(rates, usages, usages)
def test_a_sum_of_costs_is_the_cost_of_the_sum(rates: Rates, one: TokenUsage, other: TokenUsage) -> None:
    """As long as none of them is a long context."""
    rates = dataclasses.replace(rates, long_context=None)
    pairs = zip(msgspec.structs.astuple(one), msgspec.structs.astuple(other), strict=True)
    both = TokenUsage(*(a + b for a, b in pairs))

    apart = sum(Fraction(charges(rates, usage, "standard").total) for usage in (one, other))
    assert apart == Fraction(charges(rates, both, "standard").total)


def exact(rates: Rates, usage: TokenUsage) -> dict[str, Fraction]:
    """US dollars of each class, in arithmetic that is not the code's."""
    prompt = sum(getattr(usage, f"{name}_tokens") for name in CLASSES if name != "output")
    long = rates.long_context
    in_force = rates if long is None or prompt <= long.threshold else long
    return {
        name: Fraction(getattr(in_force, name)) * getattr(usage, f"{name}_tokens") / 10**6 for name in CLASSES
    }
