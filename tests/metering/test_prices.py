"""Costs are exact: compared with fractions, which know no rounding."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from fractions import Fraction

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from gateway.metering.event import TokenUsage
from gateway.metering.prices import Charges, Rates, charges

rate = st.decimals(min_value=0, max_value=1000, places=10)
rates = st.builds(
    Rates, id=st.just(1), input=rate, output=rate, cache_read=rate, cache_write_5m=rate, cache_write_1h=rate
)
tokens = st.integers(0, 10**9)
usages = st.builds(TokenUsage, tokens, tokens, tokens, tokens, tokens)

SONNET = Rates(1, Decimal(3), Decimal(15), Decimal("0.3"), Decimal("3.75"), Decimal(6))


def test_each_token_class_has_a_rate_of_its_own() -> None:
    million = 10**6
    usage = {name: TokenUsage(**{name: million}) for name in TokenUsage.__struct_fields__}

    assert {name: charges(SONNET, one, "standard").total for name, one in usage.items()} == {
        "input_tokens": Decimal(3),
        "cache_read_tokens": Decimal("0.3"),
        "cache_write_5m_tokens": Decimal("3.75"),
        "cache_write_1h_tokens": Decimal(6),
        "output_tokens": Decimal(15),
    }


def test_a_batch_costs_half() -> None:
    assert charges(SONNET, TokenUsage(input_tokens=1), "batch").total == Decimal("0.0000015")


def test_without_a_price_there_is_no_cost() -> None:
    assert charges(None, TokenUsage(input_tokens=1), "standard").total == Decimal(0)


@given(rates, usages, st.sampled_from(["standard", "batch"]))
def test_each_class_is_charged_as_if_it_were_alone(rates: Rates, usage: TokenUsage, tier: str) -> None:
    alone = [
        charges(rates, TokenUsage(**{name: getattr(usage, name)}), tier).total
        for name in TokenUsage.__struct_fields__
    ]

    whole = charges(rates, usage, tier)

    assert whole == Charges(*alone)
    assert Fraction(whole.total) == sum(map(Fraction, alone))


@given(rates, usages)
def test_a_cost_is_exact_to_the_last_place(rates: Rates, usage: TokenUsage) -> None:
    assert Fraction(charges(rates, usage, "standard").total) == exact(rates, usage)


@given(rates, usages)
def test_half_a_cost_is_wrong_by_at_most_half_the_last_place_of_each_class(
    rates: Rates, usage: TokenUsage
) -> None:
    wrong = Fraction(charges(rates, usage, "batch").total) - exact(rates, usage) / 2

    assert abs(wrong) <= Fraction(5, 2 * 10**16)


@given(rates, usages, usages)
def test_a_sum_of_costs_is_the_cost_of_the_sum(rates: Rates, one: TokenUsage, other: TokenUsage) -> None:
    pairs = zip(msgspec.structs.astuple(one), msgspec.structs.astuple(other), strict=True)
    both = TokenUsage(*(a + b for a, b in pairs))

    apart = sum(Fraction(charges(rates, usage, "standard").total) for usage in (one, other))
    assert apart == Fraction(charges(rates, both, "standard").total)


def exact(rates: Rates, usage: TokenUsage) -> Fraction:
    named = dataclasses.asdict(rates)
    classes = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output")
    return sum(
        (Fraction(named[name]) * getattr(usage, f"{name}_tokens") / 10**6 for name in classes),
        start=Fraction(),
    )
