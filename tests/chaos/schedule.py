"""Which fault falls when: the same seed and the same faults give the same rounds."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from tests.chaos.faults import FAULTS, Fault

AT_ONCE = 3  # faults in one round
WEB_PROCESSES = 3


@dataclass(frozen=True)
class Planned:
    """`at` and `seconds` are seconds from the round's beginning, and of its length."""

    fault: Fault
    at: float
    seconds: float
    place: int

    def __str__(self) -> str:
        return f"{self.at:.1f} s {self.fault.__name__} ({self.place}, {self.seconds:.1f} s)"


def rounds(seed: int, count: int, length: float) -> Iterator[list[Planned]]:
    """Rounds of `length` seconds, each with a few faults that begin in its first half."""
    chance = random.Random(seed)
    for _ in range(count):
        befallen = chance.sample(sorted(FAULTS), AT_ONCE)
        yield [_planned(name, chance, length) for name in befallen]


def _planned(name: str, chance: random.Random, length: float) -> Planned:
    fault = chance.choice(FAULTS[name])
    at, seconds = chance.uniform(0.5, length / 2), chance.uniform(0.5, min(4.0, length / 3))
    return Planned(fault, round(at, 1), round(seconds, 1), chance.randrange(WEB_PROCESSES))
