"""What both sides say of a day, a model and a class of tokens, in a form in which they can be compared."""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from decimal import Decimal

# The names that reports have for classes of tokens, and what the ledger's columns begin with.
CLASSES = {
    "uncached_input_tokens": "input",
    "cache_creation.ephemeral_5m_input_tokens": "cache_write_5m",
    "cache_creation.ephemeral_1h_input_tokens": "cache_write_1h",
    "cache_read_input_tokens": "cache_read",
    "output_tokens": "output",
}
# Is no class of tokens but told beside them, and by no model: cost reports name none for it.
WEB_SEARCHES = "web_search_requests"

_VERSION = re.compile(r"([-@]20\d{6}|-latest)\Z", re.ASCII)


@dataclasses.dataclass(frozen=True, order=True)
class Place:
    day: datetime.date
    model: str
    token_type: str


@dataclasses.dataclass
class Figure:
    """`cost` is in US dollars, and may be off by `tolerance` where a report rounds."""

    tokens: int = 0
    cost: Decimal = Decimal(0)
    tolerance: Decimal = Decimal(0)


class Figures(defaultdict[Place, Figure]):
    """Sums by place; what was never told is 0."""

    def __init__(self) -> None:
        super().__init__(Figure)

    @property
    def tokens(self) -> int:
        return sum(figure.tokens for place, figure in self.items() if place.token_type in CLASSES)

    @property
    def cost(self) -> Decimal:
        return sum((figure.cost for figure in self.values()), Decimal(0))


@dataclasses.dataclass
class Doubts:
    """Attempts of a day and a model whose figures are not the provider's own, or that no price was known for."""

    estimated: int = 0
    unknown: int = 0
    unpriced: int = 0


@dataclasses.dataclass(frozen=True)
class Difference:
    place: Place
    ledger: Figure
    provider: Figure
    doubts: Doubts


def differences(
    ledger: Figures, provider: Figures, doubts: Mapping[tuple[datetime.date, str], Doubts]
) -> Iterator[Difference]:
    """Where tokens are not the same, or costs by more than reports round."""
    for place in sorted({*ledger, *provider}):
        ours, theirs = ledger.get(place, Figure()), provider.get(place, Figure())
        if ours.tokens != theirs.tokens or abs(ours.cost - theirs.cost) > theirs.tolerance:
            yield Difference(place, ours, theirs, doubts.get((place.day, place.model), Doubts()))


def undated(model: str) -> str:
    """One name for a model: we ask for `claude-sonnet-4-5`, and the report says which of its versions answered."""
    return _VERSION.sub("", model)
