"""Prices as a part of the file of `manage.py apply`, to be reviewed and committed."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import yaml

from admin_api.catalog import Rates
from admin_api.changes import shown
from gateway.price import BATCH_FACTOR, CLASSES, LongContext


def fragment(prices: Mapping[str, Rates]) -> str:
    """By the names of models. What is usual is left out, as a person would."""
    models = {name: {"price": _price(price)} for name, price in prices.items()}
    return yaml.dump(
        {"models": models},
        Dumper=_Dumper,
        sort_keys=False,
        default_flow_style=None,
        width=110,
        allow_unicode=True,
    )


def _price(price: Rates) -> dict[str, Any]:
    told: dict[str, Any] = {name: getattr(price, name) for name in CLASSES}
    if price.batch_factor != BATCH_FACTOR:
        told["batch_factor"] = price.batch_factor
    if price.web_search:
        told["web_search"] = price.web_search
    if price.long_context is not None:
        told["long_context"] = _long_context(price.long_context)
    return told


def _long_context(long: LongContext) -> dict[str, Any]:
    return {"threshold": long.threshold, **{name: getattr(long, name) for name in CLASSES}}


class _Dumper(yaml.SafeDumper):
    """Writes decimals as the plain numbers that they are, each where it belongs."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _number(dumper: _Dumper, value: Decimal) -> yaml.ScalarNode:
    text = shown(value)
    return dumper.represent_scalar(f"tag:yaml.org,2002:{'float' if '.' in text else 'int'}", text)


_Dumper.add_representer(Decimal, _number)
