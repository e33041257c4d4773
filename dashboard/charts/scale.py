"""Round upper ends for axes."""

from __future__ import annotations

from decimal import Decimal

_STEPS = tuple(Decimal(step) for step in ("1", "1.2", "1.6", "2", "2.4", "3", "4", "5", "6", "8"))


def ceiling(largest: Decimal, *, whole: bool) -> Decimal:
    """The smallest round number that is not below `largest`; with `whole`, one whose half is whole too."""
    if largest <= 0:
        return Decimal(2) if whole else Decimal(1)
    unit = Decimal(1).scaleb(largest.adjusted())
    rounds = [step * unit for step in _STEPS] + [10 * unit]
    return next(one for one in rounds if one >= largest and not (whole and one % 2))
