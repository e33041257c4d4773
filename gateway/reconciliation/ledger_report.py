"""What the ledger says of a provider: sums over the usage events themselves, whichever organization's."""

from __future__ import annotations

import datetime
from decimal import Decimal

from gateway.metering.partitions import Cursor
from gateway.reconciliation.figures import CLASSES, WEB_SEARCHES, Doubts, Figures, Place, undated

_TOKENS = ", ".join(f"sum({name}_tokens)" for name in CLASSES.values())
_COSTS = ", ".join(f"sum({name}_cost)" for name in CLASSES.values())
_OF_TOKENS = " + ".join(f"{name}_cost" for name in CLASSES.values())

# What an attempt cost beyond its tokens is its web searches.
_SUMS = f"""
SELECT day, upstream_model, {_TOKENS}, {_COSTS}, sum(web_search_requests), sum(cost - ({_OF_TOKENS})),
    count(*) FILTER (WHERE usage_source = 'estimated'),
    count(*) FILTER (WHERE usage_source NOT IN ('estimated', 'reported')),
    count(*) FILTER (WHERE price_version IS NULL)
FROM usage_event WHERE provider = %s AND day >= %s AND day <= %s
GROUP BY day, upstream_model
"""


def read(
    cursor: Cursor, provider: str, first: datetime.date, last: datetime.date
) -> tuple[Figures, dict[tuple[datetime.date, str], Doubts]]:
    """The figures of the days from `first` to `last`, and what may be wrong with them by day and model."""
    cursor.execute(_SUMS, [provider, first, last])
    figures = Figures()
    doubts: dict[tuple[datetime.date, str], Doubts] = {}
    for day, upstream_model, *sums in cursor.fetchall():
        model = undated(upstream_model)
        of_classes, (searches, of_searches, *doubtful) = sums[: 2 * len(CLASSES)], sums[2 * len(CLASSES) :]
        tokens, costs = of_classes[: len(CLASSES)], of_classes[len(CLASSES) :]
        for token_type, count, cost in zip(CLASSES, tokens, costs, strict=True):
            _add(figures, Place(day, model, token_type), count, cost)
        _add(figures, Place(day, "", WEB_SEARCHES), searches, of_searches)
        for where in (model, ""):
            _doubt(doubts.setdefault((day, where), Doubts()), *doubtful)
    return figures, doubts


def _add(figures: Figures, place: Place, tokens: int, cost: Decimal) -> None:
    """Sums of bigints are numeric in Postgres."""
    if tokens or cost:
        figures[place].tokens += int(tokens)
        figures[place].cost += cost


def _doubt(doubts: Doubts, estimated: int, unknown: int, unpriced: int) -> None:
    doubts.estimated += estimated
    doubts.unknown += unknown
    doubts.unpriced += unpriced
