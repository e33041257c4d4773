"""A model's price as the file has it."""

from __future__ import annotations

import datetime
from decimal import Decimal

from admin_api.catalog import Rates
from admin_api.catalog_checks import (
    FACTOR,
    MOMENT,
    MOST_TOKENS,
    RATE,
    SEARCHES,
    is_factor,
    is_moment,
    is_rate,
)
from gateway.declaration.document import Fields, Value
from gateway.price import BATCH_FACTOR, CLASSES, LongContext

FIELDS = (*CLASSES, "batch_factor", "web_search", "long_context", "effective_at")
LONG_CONTEXT = ("threshold", *CLASSES)
THRESHOLD = "a number of tokens, 1 or more"
ZERO = Decimal(0)


def price_of(value: Value) -> Rates:
    """A whole price. What is not there of the cache costs as much as input, a batch half, and searches nothing."""
    fields = value.fields(FIELDS, {"input": RATE, "output": RATE})
    return Rates(
        **_classes(fields),
        batch_factor=fields.read("batch_factor", _factor, BATCH_FACTOR),
        web_search=fields.read("web_search", _searches, ZERO),
        long_context=fields.read("long_context", _long_context, None),
        effective_at=fields.read("effective_at", _moment, None),
    )


def _long_context(value: Value) -> LongContext:
    fields = value.fields(LONG_CONTEXT, {"threshold": THRESHOLD, "input": RATE, "output": RATE})
    return LongContext(threshold=fields.read("threshold", _threshold, 1), **_classes(fields))


def _classes(fields: Fields) -> dict[str, Decimal]:
    plain = fields.read("input", _rate, ZERO)
    others = {name: fields.read(name, _rate, plain) for name in CLASSES if name != "input"}
    return {"input": plain, **others}


def _threshold(value: Value) -> int:
    return value.whole(THRESHOLD, least=1, most=MOST_TOKENS)


def _rate(value: Value) -> Decimal:
    return _checked(value, RATE)


def _searches(value: Value) -> Decimal:
    return _checked(value, SEARCHES)


def _checked(value: Value, expected: str) -> Decimal:
    rate = value.number(expected)
    if not is_rate(rate):
        value.wrong(f"expected {expected}, not {value.shown()}")
    return rate


def _factor(value: Value) -> Decimal:
    factor = value.number(FACTOR)
    if not is_factor(factor):
        value.wrong(f"expected {FACTOR}, not {value.shown()}")
    return factor


def _moment(value: Value) -> datetime.datetime:
    at = value.moment(MOMENT)
    if not is_moment(at):
        value.wrong(f"expected {MOMENT}, not {value.shown()}")
    return at
