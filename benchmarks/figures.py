"""The figures that count, each beside what it is to reach."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

import msgspec

from benchmarks.rounds import (
    BURST_16,
    DIRECT_JSON_1,
    DIRECT_PACED_64,
    JSON_1,
    JSON_16,
    JSON_256,
    PACED_64,
    TRANSLATED_BURST_16,
    TRANSLATED_JSON_16,
    TRANSLATED_PACED_64,
    Kind,
    Round,
)


class Figure(msgspec.Struct, frozen=True):
    """`target` None means that the figure is only told. `met` is None where there is no target."""

    name: str
    value: float
    unit: str
    target: float | None = None
    at_most: bool = True
    note: str = ""

    @property
    def met(self) -> bool | None:
        if self.target is None:
            return None
        return self.value <= self.target if self.at_most else self.value >= self.target


class Memory(msgspec.Struct, frozen=True):
    """Resident memory of the web process in MB: at rest before the first request, and after so many."""

    at_start: float
    at_end: float
    requests: int


def figures(rounds: Sequence[Round], memory: Memory) -> list[Figure]:
    """In the order in which they are told; medians over the rounds of each kind that count."""
    of = _Medians(rounds)
    return [
        Figure("JSON, 16 connections: CPU a request", of(JSON_16, _cpu), "ms", 0.40, note="stretch 0.30"),
        Figure(
            "JSON, 16 connections: throughput",
            of(JSON_16, _rate),
            "1/s",
            2200,
            False,
            note=_beside(of, JSON_16),
        ),
        Figure("burst of 37 events, 16 connections: CPU a stream", of(BURST_16, _cpu), "ms", 0.80),
        Figure(
            "burst of 37 events, 16 connections: throughput",
            of(BURST_16, _rate),
            "1/s",
            note=_beside(of, BURST_16),
        ),
        Figure(
            "paced streams, 64 at once: CPU an event",
            of(PACED_64, lambda one: one.cpu_us_per_event),
            "us",
            65.0,
        ),
        *_added("first event of a paced stream, 64 at once", of, PACED_64, DIRECT_PACED_64, _first, 10.0),
        Figure(
            "JSON: throughput at 256 connections over that at 16",
            100 * of(JSON_256, _rate) / of(JSON_16, _rate),
            "%",
            80.0,
            False,
            note=f"{of(JSON_256, _rate):,.0f} 1/s, {_beside(of, JSON_256)}",
        ),
        Figure("JSON, 256 connections: CPU a request", of(JSON_256, _cpu), "ms"),
        *_added("JSON, 1 connection", of, JSON_1, DIRECT_JSON_1, _whole, 1.0),
        Figure("JSON, 1 connection: CPU a request", of(JSON_1, _cpu), "ms"),
        Figure("translated JSON, 16 connections: CPU a request", of(TRANSLATED_JSON_16, _cpu), "ms", 0.50),
        Figure(
            "translated burst of 32 words, 16 connections: CPU a stream",
            of(TRANSLATED_BURST_16, _cpu),
            "ms",
            1.2,
        ),
        Figure(
            "translated paced streams, 64 at once: CPU an event",
            of(TRANSLATED_PACED_64, lambda one: one.cpu_us_per_event),
            "us",
            75.0,
        ),
        Figure(
            "memory of the web process",
            memory.at_end,
            "MB",
            130.0,
            note=f"after {memory.requests:,} requests; {memory.at_start:.0f} MB before the first",
        ),
    ]


Reading = Callable[[Round], float]


class _Medians:
    """Medians over the rounds of a kind that count."""

    def __init__(self, rounds: Sequence[Round]) -> None:
        self._rounds = rounds

    def __call__(self, kind: Kind, read: Reading) -> float:
        return statistics.median(read(one) for one in chosen(self._rounds, kind.name))


def chosen(rounds: Sequence[Round], kind: str) -> list[Round]:
    """The rounds of a kind that count: the quiet ones, or the one that was disturbed least."""
    of_kind = [one for one in rounds if one.kind == kind]
    least = min(of_kind, key=lambda one: one.disturbed)
    return [one for one in of_kind if one.quiet] or [least]


def _added(
    name: str, of: _Medians, kind: Kind, direct: Kind, read: tuple[Reading, Reading], target: float
) -> list[Figure]:
    """What the gateway adds to a time, by the median and by the slowest in a hundred."""
    note = f"{of(kind, read[0]):.2f} ms, without the gateway {of(direct, read[0]):.2f} ms"
    slowest = f"{of(kind, read[1]):.2f} ms, without the gateway {of(direct, read[1]):.2f} ms"
    return [
        Figure(f"{name}: added p50", of(kind, read[0]) - of(direct, read[0]), "ms", target, note=note),
        Figure(f"{name}: added p99", of(kind, read[1]) - of(direct, read[1]), "ms", note=slowest),
    ]


def _beside(of: _Medians, kind: Kind) -> str:
    own, other = of(kind, lambda one: one.use.worker), of(kind, lambda one: one.use.load_core_busy)
    return f"the gateway used {own:.0%} of its core, the other core was {other:.0%} busy"


def _cpu(one: Round) -> float:
    return one.cpu_ms_per_request


def _rate(one: Round) -> float:
    return one.requests_per_second


_whole: tuple[Reading, Reading] = (lambda one: one.whole_ms.p50, lambda one: one.whole_ms.p99)
_first: tuple[Reading, Reading] = (lambda one: one.first_ms.p50, lambda one: one.first_ms.p99)
