"""How the cost of a request comes about: what was counted, times the unit prices of the price version, exact."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from decimal import Decimal

from admin_api.queries.log_entries import Entry
from gateway import price
from gateway.models import Price
from gateway.price import BATCH, CLASSES, Charges, Rates
from gateway.token_usage import TokenUsage

LABELS = {
    "input": "Uncached input",
    "cache_read": "Cache read",
    "cache_write_5m": "Cache write, 5 minutes",
    "cache_write_1h": "Cache write, 1 hour",
    "output": "Output",
}


SOURCES = {
    "reported": "as the provider reported it",
    "estimated": "estimated, since the provider did not tell all of it",
    "unknown": "not known: what was reserved is counted",
}


@dataclasses.dataclass(frozen=True)
class Item:
    """`count` of something at `unit_price` dollars `per` (a million tokens, a thousand searches)."""

    label: str
    count: int
    unit_price: Decimal
    per: str
    cost: Decimal


@dataclasses.dataclass(frozen=True)
class Sum:
    """Of one attempt. `items` are those with a count; without a price version there are no prices, and the cost is
    nothing. `factor` is what a batch's tokens cost of the price."""

    attempt: Entry
    items: list[Item]
    version: int | None
    factor: Decimal | None
    long_context: int | None

    @property
    def source(self) -> str:
        return SOURCES.get(self.attempt.usage_source, self.attempt.usage_source)

    @property
    def factor_percent(self) -> str:
        return "" if self.factor is None else f"{self.factor * 100:f}".rstrip("0").rstrip(".") + "%"

    @property
    def total(self) -> Decimal:
        return self.attempt.cost


def sum_of(attempts: Iterable[Entry]) -> list[Sum]:
    """One query for the prices of all that used anything."""
    used = [one for one in attempts if one.tokens or one.web_search_requests]
    versions = {one.price_version for one in used if one.price_version is not None}
    rows = Price.objects.filter(id__in=versions).values() if versions else []
    book = {row["id"]: price.rates_of(row) for row in rows}
    return [_sum(one, book.get(one.price_version or 0)) for one in used]


def _sum(entry: Entry, rates: Rates | None) -> Sum:
    usage = TokenUsage(**{f"{name}_tokens": getattr(entry, f"{name}_tokens") for name in CLASSES})
    charges = price.charges(rates, usage, entry.service_tier, entry.web_search_requests)
    long = rates.long_context if rates else None
    is_long = long is not None and usage.prompt_tokens > long.threshold
    return Sum(
        attempt=entry,
        items=[*_tokens(entry, long if is_long else rates, charges), *_searches(entry, rates, charges)],
        version=entry.price_version,
        factor=rates.batch_factor if rates and entry.service_tier == BATCH else None,
        long_context=long.threshold if is_long and long else None,
    )


def _tokens(entry: Entry, rates: object, charges: Charges) -> list[Item]:
    """`rates` has the price of each class: the usual ones, or those of long prompts."""
    return [
        Item(
            label=LABELS[name],
            count=getattr(entry, f"{name}_tokens"),
            unit_price=getattr(rates, name, Decimal(0)),
            per="million",
            cost=getattr(charges, name),
        )
        for name in LABELS
        if getattr(entry, f"{name}_tokens")
    ]


def _searches(entry: Entry, rates: Rates | None, charges: Charges) -> list[Item]:
    if not entry.web_search_requests:
        return []
    unit = rates.web_search if rates else Decimal(0)
    return [Item("Web searches", entry.web_search_requests, unit, "thousand", charges.web_search)]
