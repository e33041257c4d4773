"""The worst case of a budget: what a request may cost at most, by the price and what it asks for."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gateway.engine.call import Call
from gateway.engine.reservation import worst_cost
from gateway.price import Rates

CLAUDE = Rates(1, Decimal(3), Decimal(15), Decimal("0.3"), Decimal("3.75"), Decimal(6))
GPT = Rates(2, Decimal(3), Decimal(15), Decimal("0.3"), Decimal(0), Decimal(0))  # writing to a cache is free

PLAIN, CACHED, FOR_AN_HOUR = b"{}", b'{"cache_control": {}}', b'{"cache_control": {"ttl": "1h"}}'


def asking(raw: bytes, price: Rates | None) -> Call:
    asked: Any = SimpleNamespace(
        body=SimpleNamespace(raw=raw), max_tokens=100, model=SimpleNamespace(price=price), batched=False
    )
    return cast(Call, asked)


@pytest.mark.parametrize(
    ("raw", "price", "dollars_per_million"),
    [
        (PLAIN, CLAUDE, "3"),
        (CACHED, CLAUDE, "3.75"),
        (FOR_AN_HOUR, CLAUDE, "6"),
        (PLAIN, GPT, "3"),
        (CACHED, GPT, "3"),
        (FOR_AN_HOUR, GPT, "3"),
    ],
)
def test_input_is_reserved_at_the_dearest_rate(raw: bytes, price: Rates, dollars_per_million: str) -> None:
    assert worst_cost(asking(raw, price), 1_000) == Decimal(dollars_per_million) * 1_000_000 + 1_500_000


def test_a_model_without_a_price_costs_nothing_that_could_be_reserved() -> None:
    assert worst_cost(asking(PLAIN, None), 1_000) == 0
