from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard import figures
from dashboard.charts.scale import ceiling


@pytest.mark.parametrize(
    ("value", "short"),
    [
        (0, "0"),
        (9_999, "9,999"),
        (10_000, "10K"),
        (12_345, "12.3K"),
        (999_999, "1M"),
        (1_234_567, "1.23M"),
        (5 * 10**9, "5B"),
    ],
)
def test_counts_are_short(value: int, short: str) -> None:
    assert figures.compact(value) == short


@pytest.mark.parametrize(
    ("value", "short", "exact"),
    [
        ("0", "$0.00", "$0.00"),
        ("0.0000001", "$0.000000100", "$0.0000001"),
        ("0.004215", "$0.00422", "$0.004215"),
        ("1234.5", "$1,234.50", "$1,234.50"),
        ("1.6234567", "$1.62", "$1.6234567"),
        ("20000000", "$20,000,000.00", "$20,000,000.00"),
    ],
)
def test_money_is_sensible_to_read_and_exact_beside(value: str, short: str, exact: str) -> None:
    assert (figures.money(Decimal(value)), figures.exact_money(Decimal(value))) == (short, exact)


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(0, 0, "0%"), (1, 2000, "<0.1%"), (12, 1000, "1.2%"), (5, 5, "100%"), (0, 9, "0%")],
)
def test_percent(part: int, whole: int, text: str) -> None:
    assert figures.percent(part, whole) == text


@given(st.decimals(min_value="0.0000001", max_value="1e15", allow_nan=False, places=7))
def test_an_axis_holds_its_largest_value_and_wastes_less_than_half(largest: Decimal) -> None:
    top = ceiling(largest, whole=False)
    assert largest <= top <= largest * 2


@given(st.integers(min_value=1, max_value=10**15))
def test_an_axis_of_counts_has_whole_halves(largest: int) -> None:
    top = ceiling(Decimal(largest), whole=True)
    assert largest <= top and top % 2 == 0
