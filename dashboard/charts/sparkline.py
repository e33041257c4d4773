"""A small row of bars without an axis: how something went in the last days, beside a word that says it."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence
from decimal import Decimal

HEIGHT = Decimal(20)
LEAST = Decimal(2)  # what is little must not look like nothing


@dataclasses.dataclass(frozen=True)
class Bar:
    x: int
    y: str
    height: str


@dataclasses.dataclass(frozen=True)
class Sparkline:
    """`words` is all that it shows; `bars` are those that have something."""

    width: int
    bars: list[Bar]
    total: int
    words: str


def sparkline(days: Sequence[datetime.date], values: Sequence[int], what: str) -> Sparkline:
    """One bar a day; `what` is counted, as in `requests`."""
    most = max(values, default=0)
    told = ", ".join(f"{day:%b %-d} {value:,}" for day, value in zip(days, values, strict=True))
    total = sum(values)
    return Sparkline(
        width=max(1, len(days)),
        bars=[_bar(index, value, most) for index, value in enumerate(values) if value],
        total=total,
        words=f"{total:,} {what} in {len(days)} days: {told}",
    )


def _bar(index: int, value: int, most: int) -> Bar:
    height = max(LEAST, HEIGHT * value / most)
    return Bar(index, f"{HEIGHT - height:.2f}", f"{height:.2f}")
