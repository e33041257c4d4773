"""Reading the machine: processor time of processes and cores, and memory, from `/proc`."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable

import msgspec
import psutil

# Where others have more than this share of the gateway's core, a figure is disturbed.
QUIET = 0.05


class Cores(msgspec.Struct, frozen=True):
    """Which processor core the gateway has, and which one everything else shares."""

    gateway: int
    rest: int

    @classmethod
    def available(cls) -> Cores:
        """The first two that this process may use; with a single one, everything shares it."""
        cores = sorted(os.sched_getaffinity(0))
        return cls(cores[0], cores[1 % len(cores)])


class Reading(msgspec.Struct, frozen=True):
    """Seconds since some start each. `busy` and `stolen` are by core number; `stolen` is part of `busy`.

    `worker` is the gateway's web process, `company` everything else that belongs to the benchmark.
    """

    wall: float
    worker: float
    company: float
    busy: dict[int, float]
    stolen: dict[int, float]


class Use(msgspec.Struct, frozen=True):
    """Shares of one core between two readings: 1.0 is a core fully used.

    `others_*` is what neither the gateway nor the benchmark used of a core, `stolen` what the machine below
    this one took of the gateway's; both disturb.
    """

    worker: float
    company: float
    gateway_core_busy: float
    load_core_busy: float
    others_on_gateway_core: float
    others_on_load_core: float
    stolen: float

    @classmethod
    def between(cls, before: Reading, after: Reading, cores: Cores) -> Use:
        wall = after.wall - before.wall
        worker = (after.worker - before.worker) / wall
        company = (after.company - before.company) / wall
        gateway_busy, load_busy = (
            (after.busy[core] - before.busy[core]) / wall for core in (cores.gateway, cores.rest)
        )
        return cls(
            worker=worker,
            company=company,
            gateway_core_busy=gateway_busy,
            load_core_busy=load_busy,
            others_on_gateway_core=max(0.0, gateway_busy - worker),
            others_on_load_core=max(0.0, load_busy - company),
            stolen=(after.stolen[cores.gateway] - before.stolen[cores.gateway]) / wall,
        )


class Meter:
    """Reads the processes and cores it was made for. Reading costs some milliseconds of processor time.

    `company` is the process that started all the others.
    """

    def __init__(self, *, worker: int, company: int, cores: Iterable[int]) -> None:
        self._worker = psutil.Process(worker)
        self._company = psutil.Process(company)
        self._cores = tuple(cores)

    def before(self) -> Reading:
        """What takes long is read first, so that the last thing read is the clock."""
        company = self._company_seconds()
        return self._reading(company)

    def after(self) -> Reading:
        reading = self._reading(0.0)
        return msgspec.structs.replace(reading, company=self._company_seconds())

    def _reading(self, company: float) -> Reading:
        times = psutil.cpu_times(percpu=True)
        return Reading(
            wall=time.perf_counter(),
            worker=seconds_of(self._worker),
            company=company,
            busy={core: sum(times[core][:8]) - times[core].idle - times[core].iowait for core in self._cores},
            stolen={core: times[core].steal for core in self._cores},
        )

    def _company_seconds(self) -> float:
        everybody = with_children(self._company)
        return sum(seconds_of(process) for process in everybody if process != self._worker)


def seconds_of(process: psutil.Process) -> float:
    """User and system time of a process, 0 once it is gone."""
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


def with_children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def memory_mb(pid: int) -> float:
    """Resident memory of a process in MB (1,000,000 bytes)."""
    return float(psutil.Process(pid).memory_info().rss / 1e6)
