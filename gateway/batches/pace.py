"""How fast a model is asked: halved when its provider says that it is too much, and then slowly more again."""

from __future__ import annotations

import math

LEAST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
PLENTY = 1_000.0  # at once; from here on nothing is held back


class Pace:
    """Of one model at one runner; `now` is a monotonic clock in seconds."""

    def __init__(self) -> None:
        self._window = math.inf
        self._pause = LEAST_PAUSE_SECONDS
        self._until = 0.0
        self.under_way = 0

    def wait(self, now: float) -> float:
        """Seconds until another request may go out; 0 where it may, also where one that is under way has to end."""
        return max(0.0, self._until - now)

    @property
    def has_room(self) -> bool:
        return self.under_way < self._window

    def succeeded(self) -> None:
        self._pause = LEAST_PAUSE_SECONDS
        if self._window < PLENTY:
            self._window += 1 / self._window
        else:
            self._window = math.inf

    def too_much(self, now: float, retry_after: float | None) -> None:
        """The provider was asked for too much. What it says of what went out before it said so first counts once."""
        if now < self._until:
            return
        self._window = max(1.0, min(self._window, self.under_way) / 2)
        pause = self._pause if retry_after is None else max(retry_after, LEAST_PAUSE_SECONDS)
        self._pause = min(self._pause * 2, LONGEST_PAUSE_SECONDS)
        self._until = now + min(pause, LONGEST_PAUSE_SECONDS)
