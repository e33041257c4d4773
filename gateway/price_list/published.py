"""What a provider publishes for a model, by the list that the installed genai-prices holds: no network is asked."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Iterable
from decimal import Decimal

from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ModelInfo, ModelPrice, TieredPrices, TimeOfDateConstraint

from admin_api.catalog import Rates
from admin_api.catalog_checks import RATE_PLACES, is_factor, is_rate
from gateway.price import BATCH_FACTOR, CLASSES, LongContext

# Presets that the list knows by another name; those that are not here have the same one.
LISTED = {
    "deepseek-anthropic": "deepseek",
    "gemini": "google",
    "minimax-anthropic": "minimax",
    "moonshot": "moonshotai",
    "moonshot-anthropic": "moonshotai",
    "xai": "x-ai",
    "zai-anthropic": "zai",
}
BATCH = {"processing": "batch"}

# Where each class is in the list, and what counts where that is silent: caches as input, an hour as five minutes.
KEYS = {
    "input": ("input_mtok",),
    "output": ("output_mtok",),
    "cache_read": ("cache_read_mtok", "input_mtok"),
    "cache_write_5m": ("cache_write_mtok", "input_mtok"),
    "cache_write_1h": ("cache_write_1h_mtok", "cache_write_mtok", "input_mtok"),
}


class Unpublished(Exception):
    """The list has no price that could be charged by; the message says why."""


def published(preset: str, base_url: str, model: str, now: datetime.datetime) -> Rates:
    """The price of `model`, as its provider calls it, at a provider with this preset, or else at this address."""
    info = _info(preset, base_url, model)
    if not isinstance(info.prices, ModelPrice) and any(
        isinstance(one.constraint, TimeOfDateConstraint) for one in info.prices
    ):
        raise Unpublished("its price changes with the time of day")
    price = info.get_prices(now)
    classes = _classes(price)
    rates = Rates(
        **{name: _base(value) for name, value in classes.items()},
        batch_factor=_batch_factor(info, now),
        web_search=_base(getattr(price, "web_searches_kcount", None) or Decimal(0)),
        long_context=_long_context(classes),
        effective_at=None,
    )
    _check(value for value in rates.columns().values() if isinstance(value, Decimal))
    return rates


def _info(preset: str, base_url: str, model: str) -> ModelInfo:
    listed = LISTED.get(preset, preset) or None
    try:
        _, info = get_snapshot().find_provider_model(model, None, listed, None if listed else base_url)
    except LookupError:
        raise Unpublished("the list does not know it") from None
    return info


def _classes(price: ModelPrice) -> dict[str, Decimal | TieredPrices]:
    found = {name: _first(price, keys) for name, keys in KEYS.items()}
    known = {name: value for name, value in found.items() if value is not None}
    if len(known) < len(CLASSES):
        raise Unpublished("it is not charged by tokens of input and output")
    return known


def _first(price: ModelPrice, keys: Iterable[str]) -> Decimal | TieredPrices | None:
    return next((value for key in keys if (value := getattr(price, key)) is not None), None)


def _base(value: Decimal | TieredPrices) -> Decimal:
    return value.base if isinstance(value, TieredPrices) else value


def _long_context(classes: dict[str, Decimal | TieredPrices]) -> LongContext | None:
    """All classes become dearer at one threshold, or stay as they are."""
    tiers = [tier for value in classes.values() if isinstance(value, TieredPrices) for tier in value.tiers]
    thresholds = {tier.start for tier in tiers}
    if not thresholds:
        return None
    if len(thresholds) > 1 or 0 in thresholds:
        raise Unpublished("its price rises in more than one step")
    above = {
        name: value.tiers[0].price if isinstance(value, TieredPrices) and value.tiers else _base(value)
        for name, value in classes.items()
    }
    return LongContext(threshold=thresholds.pop(), **above)


def _batch_factor(info: ModelInfo, now: datetime.datetime) -> Decimal:
    """What a batch costs of input, if the list tells it of output alike; else half, as nearly everywhere."""
    if not any(variant.when == BATCH for variant in info.price_variants or ()):
        return BATCH_FACTOR
    whole, batch = _classes(info.get_prices(now)), _classes(info.get_prices(now, BATCH))
    factors = {_part(_base(batch[name]), _base(whole[name])) for name in ("input", "output")}
    return factors.pop() if len(factors) == 1 and all(map(is_factor, factors)) else BATCH_FACTOR


def _part(part: Decimal, whole: Decimal) -> Decimal:
    with decimal.localcontext() as context:
        context.prec = 60
        return round(part / whole, RATE_PLACES) if whole else BATCH_FACTOR


def _check(rates: Iterable[Decimal]) -> None:
    if not all(map(is_rate, rates)):
        raise Unpublished("its price has more decimal places than can be charged by")
