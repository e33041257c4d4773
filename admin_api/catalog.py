"""Values of the catalog as actions take them, checked by whoever makes them."""

from __future__ import annotations

import dataclasses
import datetime
from decimal import Decimal

from gateway.price import BATCH_FACTOR, CLASSES, LongContext


@dataclasses.dataclass(frozen=True)
class Timeouts:
    """Seconds; None means the gateway's default."""

    connect: float | None = None
    first_byte: float | None = None
    idle: float | None = None


@dataclasses.dataclass(frozen=True)
class WeightedKey:
    """A provider's secret, and how much of what goes to the provider it carries beside the other ones."""

    key: str = dataclasses.field(repr=False)
    weight: int = 100


@dataclasses.dataclass(frozen=True)
class RouteTo:
    """One way to serve a model: a provider by name, and what the model is called there."""

    provider: str
    model: str
    priority: int = 1
    weight: int = 100

    def __str__(self) -> str:
        return f"{self.provider}/{self.model} (priority {self.priority}, weight {self.weight})"


@dataclasses.dataclass(frozen=True)
class Rates:
    """A whole price: US dollars per million tokens and per thousand web searches, at most ten decimal places each.

    `effective_at` is when it begins; None means now.
    """

    input: Decimal
    output: Decimal
    cache_read: Decimal
    cache_write_5m: Decimal
    cache_write_1h: Decimal
    batch_factor: Decimal = BATCH_FACTOR
    web_search: Decimal = Decimal(0)
    long_context: LongContext | None = None
    effective_at: datetime.datetime | None = None

    def columns(self) -> dict[str, Decimal | int | None]:
        """Of `models.Price`, without the time."""
        long = self.long_context
        return {
            **{name: getattr(self, name) for name in (*CLASSES, "batch_factor", "web_search")},
            "long_context_threshold": long and long.threshold,
            **{f"long_context_{name}": long and getattr(long, name) for name in CLASSES},
        }
