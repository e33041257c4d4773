"""How much may be kept of somebody: many at once, few for long. Else one client that never waits fills the disk."""

from __future__ import annotations

from collections.abc import Hashable

MOST_HOLDERS = 10_000  # of whom is remembered what they have left; of more, those who have all are forgotten


class Allowance:
    """Of each holder `burst` at once, and `per_second` after that. Times are seconds of a clock that only grows."""

    def __init__(self, burst: int, per_second: float) -> None:
        self._burst = burst
        self._per_second = per_second
        self._left: dict[Hashable, tuple[float, float]] = {}  # what was left, and when

    def take(self, holder: Hashable, now: float) -> bool:
        """Whether the holder may have one more, which is then taken."""
        left = self._left_of(holder, now)
        if left < 1:
            return False
        if len(self._left) >= MOST_HOLDERS and holder not in self._left:
            self._forget_who_has_all(now)
        self._left[holder] = (left - 1, now)
        return True

    def _left_of(self, holder: Hashable, now: float) -> float:
        left, at = self._left.get(holder, (self._burst, now))
        return min(self._burst, left + (now - at) * self._per_second)

    def _forget_who_has_all(self, now: float) -> None:
        self._left = {
            holder: state for holder, state in self._left.items() if self._left_of(holder, now) < self._burst
        }
