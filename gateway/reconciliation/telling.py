"""Differences as people and programs read them; money is US dollars."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from rich import box
from rich.table import Table

from gateway.reconciliation.figures import Difference, Doubts, Figure, Figures


def as_table(found: Iterable[Difference]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("day", "model", "what"):
        table.add_column(name, no_wrap=True)
    for name in ("ledger", "provider", "ledger $", "provider $"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("perhaps because")
    for one in found:
        table.add_row(
            f"{one.place.day}",
            one.place.model or "-",
            one.place.token_type,
            f"{one.ledger.tokens:,}",
            f"{one.provider.tokens:,}",
            dollars(one.ledger.cost),
            dollars(one.provider.cost),
            reasons(one.doubts),
        )
    return table


def as_json(ledger: Figures, provider: Figures, found: Iterable[Difference]) -> dict[str, object]:
    """`tokens` are requests where `token_type` is `web_search_requests`; costs are strings."""
    return {
        "ledger": {"tokens": ledger.tokens, "cost": dollars(ledger.cost)},
        "provider": {"tokens": provider.tokens, "cost": dollars(provider.cost)},
        "differences": [
            {
                "day": one.place.day.isoformat(),
                "model": one.place.model or None,
                "token_type": one.place.token_type,
                "ledger": _figure(one.ledger),
                "provider": _figure(one.provider),
                "attempts": {
                    "estimated": one.doubts.estimated,
                    "unknown": one.doubts.unknown,
                    "unpriced": one.doubts.unpriced,
                },
            }
            for one in found
        ],
    }


def _figure(figure: Figure) -> dict[str, object]:
    return {"tokens": figure.tokens, "cost": dollars(figure.cost)}


def dollars(cost: Decimal) -> str:
    """Without exponent, and without zeros at the end."""
    told = f"{cost:f}"
    return (told.rstrip("0").rstrip(".") if "." in told else told) or "0"


def reasons(doubts: Doubts) -> str:
    counts = {
        "estimated": doubts.estimated,
        "with unknown usage": doubts.unknown,
        "without a price": doubts.unpriced,
    }
    told = [f"{count:,} {what}" for what, count in counts.items() if count]
    return f"attempts: {', '.join(told)}" if told else ""
