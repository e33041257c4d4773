"""What an attempt costs: five rates, five token classes, exact decimals, no floats anywhere."""

from __future__ import annotations

import dataclasses
import decimal
import functools
from collections.abc import Iterable
from decimal import Decimal

import psycopg
from psycopg.rows import class_row

from gateway.metering.event import TokenUsage

PER_MILLION = Decimal("0.000001")

# A batch costs half (Anthropic's batch discount; `usage.service_tier` of its answers is `batch`).
BATCH_DISCOUNT = Decimal("0.5")

# The scale of the cost columns. A rate has 10 places and a token is a millionth, so that every product fits
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


@dataclasses.dataclass(frozen=True, slots=True)
class Charges:
    """US dollars for the tokens of each class, 16 decimal places."""

    input: Decimal
    cache_read: Decimal
    cache_write_5m: Decimal
    cache_write_1h: Decimal
    output: Decimal

    @property
    def total(self) -> Decimal:
        """Exactly the sum, whatever its length."""
        parts = (self.cache_read, self.cache_write_5m, self.cache_write_1h, self.output)
        return functools.reduce(_exact.add, parts, self.input)


FREE = Charges(*[Decimal(0)] * 5)


def charges(rates: Rates | None, usage: TokenUsage, service_tier: str) -> Charges:
    """Without rates nothing is charged: such events are known by their null `price_version`."""
    if rates is None:
        return FREE
    dollars = PER_MILLION * BATCH_DISCOUNT if service_tier == "batch" else PER_MILLION
    return Charges(
        input=_charge(rates.input, usage.input_tokens, dollars),
        cache_read=_charge(rates.cache_read, usage.cache_read_tokens, dollars),
        cache_write_5m=_charge(rates.cache_write_5m, usage.cache_write_5m_tokens, dollars),
        cache_write_1h=_charge(rates.cache_write_1h, usage.cache_write_1h_tokens, dollars),
        output=_charge(rates.output, usage.output_tokens, dollars),
    )


def _charge(rate: Decimal, tokens: int, dollars: Decimal) -> Decimal:
    """Each class is rounded on its own, so that the whole is the sum of what is shown apart."""
    if not tokens:
        return Decimal(0)
    exact = _exact.multiply(_exact.multiply(rate, Decimal(tokens)), dollars)
    return exact.quantize(LEDGER_SCALE, context=_exact)


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
