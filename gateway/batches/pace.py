"""How fast a model is asked: halved when its provider says that it is too much, and then slowly more again."""

from __future__ import annotations

import math

LEAST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 20.0  # others go on meanwhile only if one request may be the fault of its sender
PLENTY = 1_000.0  # at once; from here on nothing is held back


class Pace:
    """Of one model at one runner; `now` is a monotonic clock in seconds.

    After each complaint of its provider a new round begins. Its first request goes out alone, to find out whether
    others may follow; those of earlier rounds do not count any more, and nobody waits for them.
    """

    def __init__(self) -> None:
        self._window = math.inf
        self._pause = LEAST_PAUSE_SECONDS
        self._until = 0.0
        self._round = 0
        self._under_way = 0  # of this round
        self._answered = True  # in this round, or nobody ever complained

    def wait(self, now: float) -> float:
        """Seconds until another request may go out; 0 where it may, also where one that is under way has to end."""
        return max(0.0, self._until - now)

    @property
    def has_room(self) -> bool:
        return self._under_way < (self._window if self._answered else 1)

    def sent(self) -> int:
        """The round that a request goes out in."""
        self._under_way += 1
        return self._round

    def ended(self, round_: int) -> None:
        """However it ended; said after what it tells."""
        if round_ == self._round:
            self._under_way -= 1

    def succeeded(self) -> None:
        self._answered = True
        self._pause = LEAST_PAUSE_SECONDS
        if self._window < PLENTY:
            self._window += 1 / self._window
        else:
            self._window = math.inf

    def too_much(self, now: float, retry_after: float | None, round_: int) -> None:
        """The provider was asked for too much. What it says of what went out before it said so first counts once."""
        if round_ != self._round:
            return
        self._window = max(1.0, min(self._window, self._under_way) / 2)
        pause = self._pause if retry_after is None else max(retry_after, LEAST_PAUSE_SECONDS)
        self._pause = min(self._pause * 2, LONGEST_PAUSE_SECONDS)
        self._until = now + min(pause, LONGEST_PAUSE_SECONDS)
        self._round, self._under_way, self._answered = self._round + 1, 0, False


class Paces:
    """Of all models at one runner."""

    def __init__(self) -> None:
        self._paces: dict[str, Pace] = {}

    def of(self, model: str) -> Pace:
        return self._paces.setdefault(model, Pace())

    def may_send(self, model: str, now: float) -> bool:
        pace = self._paces.get(model)
        return pace is None or (not pace.wait(now) and pace.has_room)
