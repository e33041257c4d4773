from __future__ import annotations

import itertools
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.charts.marks import marks
from dashboard.charts.scale import ceiling
from dashboard.frame import figures


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


@pytest.mark.parametrize(
    ("now", "before", "said"),
    [
        (112, 100, "+12%"),
        (Decimal("0.966"), Decimal(1), "-3.4%"),
        (5, 0, "new"),
        (0, 0, "same"),
        (0, 7, "-100%"),
        (100_001, 100_000, "<0.1%"),
        (99_999, 100_000, "<0.1%"),
        (1700, 100, "17x"),
    ],
)
def test_a_change_is_said_in_a_word(now: int | Decimal, before: int | Decimal, said: str) -> None:
    assert figures.change(now, before) == said


@pytest.mark.parametrize("bars", [1, 7, 24, 25, 30, 31, 60, 180, 400])
def test_an_axis_names_a_few_bars_and_none_at_its_end(bars: int) -> None:
    found = marks([str(number) for number in range(bars)])
    named = [index for index, mark in enumerate(found) if mark.text]
    assert len(found) == bars
    assert named[0] == 0 and len(named) <= 7
    assert len({after - before for before, after in itertools.pairwise(named)}) <= 1
    assert bars - named[-1] > bars / 15
