"""Checks a mapping of limits at the door of an action."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.errors import InvalidRequest
from gateway.limiters import LIMIT_NAMES

LARGEST = 1_000_000_000_000  # Lua's numbers in the limiter stay exact far beyond this


def check_limits(limits: Mapping[str, int | None], *, lifting: bool = False) -> dict[str, int | None]:
    """The limits as they are stored. `lifting` allows None, which lifts a limit set further up."""
    for name, value in limits.items():
        if name not in LIMIT_NAMES:
            raise InvalidRequest(
                f"limits.{name[:60]}: unknown limit; expected one of {', '.join(LIMIT_NAMES)}"
            )
        if value is None and lifting:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= LARGEST:
            raise InvalidRequest(f"limits.{name}: expected a whole number from 1 to {LARGEST}")
    return {name: limits[name] for name in LIMIT_NAMES if name in limits}
