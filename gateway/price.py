"""What an attempt costs: rates, five token classes and web searches, exact decimals, no floats anywhere."""

from __future__ import annotations

import dataclasses
import decimal
import functools
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from gateway.token_usage import TokenUsage

# The classes of tokens, as rates and columns are named after them.
CLASSES = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")

PER_MILLION = Decimal("0.000001")
PER_THOUSAND = Decimal("0.001")

# A batch costs half (Anthropic's batch discount; `usage.service_tier` of its answers is `batch`).
BATCH_FACTOR = Decimal("0.5")
BATCH = "batch"
STANDARD = "standard"

# The scale of the cost columns. A rate has 10 places and a token is a millionth, so that every product fits
# exactly; only what a batch's factor adds beyond the last place is rounded (half to even).
LEDGER_SCALE = Decimal("1e-16")

# The default context rounds at 28 digits; this one holds every product of two rates and a bigint exactly.
_exact = decimal.Context(prec=80, rounding=decimal.ROUND_HALF_EVEN)
_NOTHING = Decimal(0)


@dataclasses.dataclass(frozen=True, slots=True)
class LongContext:
    """What a request costs whose prompt (cached or not) is longer than `threshold` tokens: all of it, at these
    rates, in US dollars per million tokens of each class."""

    threshold: int
    input: Decimal
    output: Decimal
    cache_read: Decimal
    cache_write_5m: Decimal
    cache_write_1h: Decimal


@dataclasses.dataclass(frozen=True, slots=True)
class Rates:
    """One row of `models.Price`: US dollars per million tokens of each class, `web_search` per thousand searches.

    `batch_factor` is what tokens of a batch cost of this; searches cost the same in a batch.
    """

    id: int
    input: Decimal
    output: Decimal
    cache_read: Decimal
    cache_write_5m: Decimal
    cache_write_1h: Decimal
    batch_factor: Decimal = BATCH_FACTOR
    web_search: Decimal = _NOTHING
    long_context: LongContext | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Charges:
    """US dollars for the tokens of each class and for web searches, 16 decimal places."""

    input: Decimal
    cache_read: Decimal
    cache_write_5m: Decimal
    cache_write_1h: Decimal
    output: Decimal
    web_search: Decimal = _NOTHING

    @property
    def total(self) -> Decimal:
        """Exactly the sum, whatever its length."""
        parts = (self.cache_read, self.cache_write_5m, self.cache_write_1h, self.output, self.web_search)
        return functools.reduce(_exact.add, parts, self.input)


FREE = Charges(*[_NOTHING] * 6)


def rates_of(row: Mapping[str, Any]) -> Rates:
    """From the columns of `models.Price`, as they are named there."""
    threshold = row["long_context_threshold"]
    return Rates(
        id=row["id"],
        **{name: row[name] for name in CLASSES},
        batch_factor=row["batch_factor"],
        web_search=row["web_search"],
        long_context=None
        if threshold is None
        else LongContext(threshold, **{name: row[f"long_context_{name}"] for name in CLASSES}),
    )


def charges(
    rates: Rates | None, usage: TokenUsage, service_tier: str, web_search_requests: int = 0
) -> Charges:
    """Without rates nothing is charged: such events are known by their null `price_version`."""
    if rates is None:
        return FREE
    of = _token_rates(rates, usage.prompt_tokens)
    dollars = _exact.multiply(PER_MILLION, rates.batch_factor) if service_tier == BATCH else PER_MILLION
    return Charges(
        input=_charge(of.input, usage.input_tokens, dollars),
        cache_read=_charge(of.cache_read, usage.cache_read_tokens, dollars),
        cache_write_5m=_charge(of.cache_write_5m, usage.cache_write_5m_tokens, dollars),
        cache_write_1h=_charge(of.cache_write_1h, usage.cache_write_1h_tokens, dollars),
        output=_charge(of.output, usage.output_tokens, dollars),
        web_search=_charge(rates.web_search, web_search_requests, PER_THOUSAND),
    )


def _token_rates(rates: Rates, prompt_tokens: int) -> Rates | LongContext:
    long = rates.long_context
    return long if long is not None and prompt_tokens > long.threshold else rates


def _charge(rate: Decimal, count: int, dollars: Decimal) -> Decimal:
    """Each class is rounded on its own, so that the whole is the sum of what is shown apart."""
    if not count:
        return _NOTHING
    exact = _exact.multiply(_exact.multiply(rate, Decimal(count)), dollars)
    return exact.quantize(LEDGER_SCALE, context=_exact)
