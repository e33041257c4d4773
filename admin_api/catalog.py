"""Values of the catalog as actions take them, checked by whoever makes them."""

from __future__ import annotations

import dataclasses
from decimal import Decimal


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
    """US dollars per million tokens, at most ten decimal places each."""

    input: Decimal
    output: Decimal
    cache_read: Decimal
    cache_write_5m: Decimal
    cache_write_1h: Decimal
