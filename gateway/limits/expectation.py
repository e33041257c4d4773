"""What a key and model usually produce, so that a large `max_tokens` does not reserve what it will not use.

Learned in each process from its own settlements: a smoothed mean and deviation of output, as TCP estimates
round trips (RFC 6298), and the share of input that lately came from the provider's prompt cache.
"""

from __future__ import annotations

from collections import OrderedDict

CAPACITY = 10_000
UNKNOWN_OUTPUT = 1_024  # tokens; assumed until the first settlement


class _Habit:
    __slots__ = ("cached_share", "deviation", "output")

    def __init__(self, output: int, cached_share: float) -> None:
        self.output = float(output)
        self.deviation = output / 2
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
        usual = UNKNOWN_OUTPUT if habit is None else int(habit.output + 2 * habit.deviation) + 1
        return min(max_tokens, usual)

    def learn(self, key: str, model: str, *, uncached_input: int, cached_input: int, output: int) -> None:
        """Take in one settled request that the provider reported on."""
        total = uncached_input + cached_input
        share = cached_input / total if total else 0.0
        habit = self._habits.get((key, model))
        if habit is None:
            self._habits[(key, model)] = _Habit(output, share)
            if len(self._habits) > CAPACITY:
                self._habits.popitem(last=False)
            return
        habit.deviation += (abs(output - habit.output) - habit.deviation) / 4
        habit.output += (output - habit.output) / 8
        habit.cached_share += (share - habit.cached_share) / 4
