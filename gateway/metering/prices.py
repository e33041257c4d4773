"""What an attempt costs: five rates, five token classes, exact decimals, no floats anywhere."""

from __future__ import annotations

import dataclasses
import decimal
from collections.abc import Iterable
from decimal import Decimal

import psycopg
from psycopg.rows import class_row

from gateway.metering.event import TokenUsage

PER_MILLION = Decimal("0.000001")

# A batch costs half (Anthropic's batch discount; `usage.service_tier` of its answers is `batch`).
BATCH_DISCOUNT = Decimal("0.5")

# The scale of the `cost` columns. A rate has 10 places and a token is a millionth, so that every product fits
# exactly; only half of an odd last place is rounded (half to even).
LEDGER_SCALE = Decimal("1e-16")

# The default context rounds at 28 digits; this one holds every product of a rate and a bigint exactly.
_exact = decimal.Context(prec=60, rounding=decimal.ROUND_HALF_EVEN)


@dataclasses.dataclass(frozen=True, slots=True)
class Rates:
    """One row of `models.Price`: US dollars per million tokens of each class."""

    id: int
    input: Decimal
    output: Decimal
    cache_read: Decimal
    cache_write_5m: Decimal
    cache_write_1h: Decimal


def cost(rates: Rates | None, usage: TokenUsage, service_tier: str) -> Decimal:
    """US dollars, 16 decimal places. Without rates 0: such events are known by their null `price_version`."""
    if rates is None:
        return Decimal(0)
    charges = (
        (rates.input, usage.input_tokens),
        (rates.cache_read, usage.cache_read_tokens),
        (rates.cache_write_5m, usage.cache_write_5m_tokens),
        (rates.cache_write_1h, usage.cache_write_1h_tokens),
        (rates.output, usage.output_tokens),
    )
    dollars = Decimal(0)
    for rate, tokens in charges:
        if tokens:
            dollars = _exact.fma(rate, tokens, dollars)
    dollars = _exact.multiply(dollars, PER_MILLION)
    if service_tier == "batch":
        dollars = _exact.multiply(dollars, BATCH_DISCOUNT)
    return dollars.quantize(LEDGER_SCALE, context=_exact)


class PriceBook:
    """The price versions a drain has met, by id. They never change, so they are read once."""

    def __init__(self) -> None:
        self._rates: dict[int, Rates] = {}

    def __getitem__(self, version: int) -> Rates:
        """Raises `KeyError` for a version that does not exist."""
        return self._rates[version]

    def knows(self, versions: Iterable[int]) -> bool:
        return self._rates.keys() >= set(versions)

    def learn(self, connection: psycopg.Connection, versions: Iterable[int]) -> None:
        """Read those versions that are not known yet, in one query."""
        unknown = sorted(set(versions) - self._rates.keys())
        with connection.cursor(row_factory=class_row(Rates)) as cursor:
            cursor.execute(
                "SELECT id, input, output, cache_read, cache_write_5m, cache_write_1h"
                " FROM gateway_price WHERE id = ANY(%s)",
                [unknown],
            )
            self._rates.update((rates.id, rates) for rates in cursor)
