"""What the Overview warns of: models without a price, whose use is recorded and charged to nobody."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from admin_api.queries.unpriced_models import unpriced_models
from dashboard.frame.place import Place
from dashboard.overview.usage import Usage

SHOWN = 8


@dataclasses.dataclass(frozen=True)
class Unpriced:
    """`requests` are those of the shown time that had no price; `names` all models without one, then or now."""

    names: Sequence[str]
    requests: int

    @property
    def shown(self) -> Sequence[str]:
        return self.names if len(self.names) <= SHOWN else self.names[: SHOWN - 1]

    @property
    def more(self) -> int:
        return len(self.names) - len(self.shown)


def read(place: Place, used: Usage) -> Unpriced:
    """A model that has a price by now stays on the list for as long as the shown time has what it missed."""
    missed = [row for row in used.rows if row.unpriced_requests]
    names = {row.dimensions["model"] or "unknown" for row in missed}
    names.update(unpriced_models(place.organization))
    return Unpriced(sorted(names), sum(row.unpriced_requests for row in missed))
