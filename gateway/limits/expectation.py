"""What a key and model usually produce and how long that takes, so that a large `max_tokens` does not reserve what it
will not use, and whoever waits for a place is told how long.

Learned in each process from its own settlements: smoothed means and deviations, as TCP estimates round trips
(RFC 6298), and the share of input that lately came from the provider's prompt cache.
"""

from __future__ import annotations

from collections import OrderedDict

CAPACITY = 10_000
UNKNOWN_OUTPUT = 1_024  # tokens; assumed until the first settlement
LEAST_WAIT, LONGEST_WAIT = 1.0, 60.0  # seconds


class _Usual:
    """A smoothed mean and deviation of one figure."""

    __slots__ = ("deviation", "mean")

    def __init__(self, first: float) -> None:
        self.mean = first
        self.deviation = first / 2

    def learn(self, value: float) -> None:
        self.deviation += (abs(value - self.mean) - self.deviation) / 4
        self.mean += (value - self.mean) / 8

    @property
    def at_most(self) -> float:
        """Seldom more than this."""
        return self.mean + 2 * self.deviation


class _Habit:
    __slots__ = ("cached_share", "output", "seconds")

    def __init__(self, output: int, cached_share: float, seconds: float) -> None:
        self.output = _Usual(output)
        self.seconds = _Usual(seconds)
        self.cached_share = cached_share


class Expectations:
    """By key id and model name; bounded."""

    def __init__(self) -> None:
        self._habits: OrderedDict[tuple[str, str], _Habit] = OrderedDict()

    def input_tokens(self, key: str, model: str, estimate: int) -> int:
        """The estimate less what will probably be read from the cache, which does not count."""
        habit = self._habits.get((key, model))
        return estimate if habit is None else int(estimate * (1 - habit.cached_share))

    def output_tokens(self, key: str, model: str, max_tokens: int) -> int:
        """The smaller of `max_tokens` and the mean plus two deviations of what came before."""
        habit = self._habits.get((key, model))
        usual = UNKNOWN_OUTPUT if habit is None else int(habit.output.at_most) + 1
        return min(max_tokens, usual)

    def seconds_left(self, key: str, model: str, elapsed: float) -> float:
        """Until a request that has been under way for so long is probably over, as far as this key's requests tell;
        where nothing is known, as long as it has taken already."""
        habit = self._habits.get((key, model))
        left = elapsed if habit is None else habit.seconds.at_most - elapsed
        return min(LONGEST_WAIT, max(LEAST_WAIT, left, elapsed / 4))

    def learn(
        self, key: str, model: str, *, uncached_input: int, cached_input: int, output: int, seconds: float
    ) -> None:
        """Take in one settled request that the provider reported on."""
        total = uncached_input + cached_input
        share = cached_input / total if total else 0.0
        habit = self._habits.get((key, model))
        if habit is None:
            self._habits[(key, model)] = _Habit(output, share, seconds)
            if len(self._habits) > CAPACITY:
                self._habits.popitem(last=False)
            return
        habit.output.learn(output)
        habit.seconds.learn(seconds)
        habit.cached_share += (share - habit.cached_share) / 4
