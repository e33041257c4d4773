"""What was charged, line by line: each kind of token of each model, with the price that it was charged by.

Prices have versions. A line is of one: where a price changed within the time, there are lines before and after it.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from decimal import Decimal

from admin_api.queries.price_versions import price_versions
from admin_api.queries.sums import Question, Sum, sums
from gateway.metering.reports import Width, floor
from gateway.models import Price
from gateway.price import BATCH

# The kind's name, its columns, and the rate of a price.
KINDS = (
    ("Uncached input", "input_tokens", "input_cost", "input"),
    ("Cache write, 5 min", "cache_write_5m_tokens", "cache_write_5m_cost", "cache_write_5m"),
    ("Cache write, 1 h", "cache_write_1h_tokens", "cache_write_1h_cost", "cache_write_1h"),
    ("Cache read", "cache_read_tokens", "cache_read_cost", "cache_read"),
    ("Output", "output_tokens", "output_cost", "output"),
    ("Web searches", "web_search_requests", "web_search_cost", "web_search"),
)
SEARCHES = "web_search"
CACHED = ("cache_write_5m", "cache_write_1h", "cache_read")
LONG = "200k-1M"
USUAL_THRESHOLD = 200_000
_MILLION, _THOUSAND = Decimal(1_000_000), Decimal(1000)
_NEARLY = Decimal("1e-9")
_BY = ("model", "service_tier", "context_window")
_MEASURES = tuple(column for _, count, cost, _ in KINDS for column in (count, cost))


@dataclasses.dataclass(frozen=True)
class PriceLine:
    """`quantity` tokens or searches cost `billed` US dollars, and would have cost `listed` without the discount of
    batches. `uncached` is what they would have cost had nothing been cached.

    `unit_price` is of a million tokens or a thousand searches, and None where no price is known, or no single one:
    then `mean` tells what was charged.
    """

    model: str
    service_tier: str
    is_long: bool
    kind: str
    is_search: bool
    quantity: int
    billed: Decimal
    listed: Decimal
    uncached: Decimal
    unit_price: Decimal | None
    version: int | None
    since: datetime.datetime | None

    @property
    def unit(self) -> str:
        return "1,000" if self.is_search else "MTok"

    @property
    def mean(self) -> Decimal:
        return self.billed * (_THOUSAND if self.is_search else _MILLION) / self.quantity

    @property
    def is_as_priced(self) -> bool:
        """Whether price times quantity is what was billed; else some of it had no price, or another one."""
        return self.unit_price is not None and abs(self.mean - self.unit_price) <= _NEARLY * (1 + self.mean)


def price_lines(asked: Question) -> list[PriceLine]:
    """Of everything that `asked` covers, the dearest model first. At most three queries."""
    whole = dataclasses.replace(asked, by=_BY, measures=_MEASURES).over(asked.edges[0], asked.edges[-1])
    start, end = whole.edges
    found = sums(whole)
    versions = price_versions({str(one.group[0]) for one in found}, start, end)
    edges = _edges(start, end, versions)
    if len(edges) > 2:
        found = sums(whole.over(*edges))
    lines = [line for one in found for line in _lines(one, _price(versions, one, edges))]
    return _ordered(_merged(lines))


def _edges(
    start: datetime.datetime, end: datetime.datetime, versions: Mapping[str, Sequence[Price]]
) -> list[datetime.datetime]:
    """The moments between which no price changes."""
    changes = {floor(price.effective_at, Width.MINUTE) for held in versions.values() for price in held}
    return sorted({start, end, *(at for at in changes if start < at < end)})


def _price(
    versions: Mapping[str, Sequence[Price]], one: Sum, edges: Sequence[datetime.datetime]
) -> Price | None:
    at = edges[one.slot]
    held = [
        price
        for price in versions.get(str(one.group[0]), [])
        if floor(price.effective_at, Width.MINUTE) <= at
    ]
    return held[-1] if held else None


def _lines(one: Sum, price: Price | None) -> list[PriceLine]:
    return [_line(one, price, *kind) for kind in KINDS if getattr(one, kind[1]) or getattr(one, kind[2])]


def _line(
    one: Sum, price: Price | None, kind: str, count_column: str, cost_column: str, rate_name: str
) -> PriceLine:
    model, tier, context = (str(value) for value in one.group)
    is_long, is_search = context == LONG, rate_name == SEARCHES
    billed = getattr(one, cost_column)
    factor = price.batch_factor if price and tier == BATCH and not is_search else Decimal(1)
    rate = _rate(price, rate_name, is_long) if price else None
    return PriceLine(
        model=model or "unknown",
        service_tier=tier,
        is_long=is_long,
        kind=kind,
        is_search=is_search,
        quantity=getattr(one, count_column),
        billed=billed,
        listed=billed / factor if factor else billed,
        uncached=_uncached(price, rate_name, is_long, billed, getattr(one, count_column), factor),
        unit_price=None if rate is None else rate * factor,
        version=price.id if price else None,
        since=price.effective_at if price else None,
    )


def _rate(price: Price, name: str, is_long: bool) -> Decimal | None:
    """None where long prompts begin elsewhere than the ledger tells apart: then there is no single rate."""
    threshold = price.long_context_threshold
    if name == SEARCHES or threshold is None or (threshold == USUAL_THRESHOLD and not is_long):
        rate: Decimal = getattr(price, name)
        return rate
    if threshold == USUAL_THRESHOLD:
        long_rate: Decimal = getattr(price, f"long_context_{name}")
        return long_rate
    return getattr(price, name) if threshold > USUAL_THRESHOLD and not is_long else None


def _uncached(
    price: Price | None, name: str, is_long: bool, billed: Decimal, quantity: int, factor: Decimal
) -> Decimal:
    """What it would have cost as plain input. From what was billed, so that what had no price saves nothing."""
    if price is None or name not in CACHED:
        return billed
    rate, plain = _rate(price, name, is_long), _rate(price, "input", is_long)
    if rate is None or plain is None:
        return billed
    return billed * plain / rate if rate else quantity * plain * factor / _MILLION


def _merged(lines: Sequence[PriceLine]) -> list[PriceLine]:
    """Those of one version and kind as one: others' prices may have changed between."""
    found: dict[tuple[object, ...], PriceLine] = {}
    for line in lines:
        place = (line.model, line.service_tier, line.is_long, line.kind, line.version)
        held = found.get(place)
        found[place] = line if held is None else _added(held, line)
    return list(found.values())


def _added(one: PriceLine, other: PriceLine) -> PriceLine:
    sums = {
        name: getattr(one, name) + getattr(other, name)
        for name in ("quantity", "billed", "listed", "uncached")
    }
    return dataclasses.replace(one, **sums)


def _ordered(lines: Sequence[PriceLine]) -> list[PriceLine]:
    spent: dict[str, Decimal] = {}
    for line in lines:
        spent[line.model] = spent.get(line.model, Decimal(0)) + line.billed
    kinds = [kind for kind, *_ in KINDS]
    return sorted(
        lines,
        key=lambda line: (
            -spent[line.model],
            line.model,
            line.service_tier,
            line.is_long,
            kinds.index(line.kind),
            line.since is not None and line.since.timestamp(),
        ),
    )
