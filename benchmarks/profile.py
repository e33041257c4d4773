"""Where the web process spends its time under one kind of load."""

from __future__ import annotations

import io
import os
import pstats
import signal
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.house import PROJECT, open_house
from benchmarks.rounds import KINDS, one_round

LINES = 40
WRITE_SECONDS = 10.0


def profile(name: str, *, seconds: float, say: Callable[[str], None]) -> None:
    """Load under cProfile, whose own cost swells small functions: read it for proportions, not for times."""
    kind = next(kind for kind in KINDS if kind.name == name)
    with open_house(server=("-m", "benchmarks.profiled_server")) as house:
        file = house.folder / "web.prof"
        one_round(house, kind, seconds=1)
        os.kill(house.worker, signal.SIGUSR1)
        loaded = one_round(house, kind, seconds=seconds)
        os.kill(house.worker, signal.SIGUSR2)
        _wait_for(file)
        say(
            f"{kind.name}: {loaded.requests:,} requests, {loaded.cpu_ms_per_request:.3f} CPU-ms each when watched"
        )
        say(_table(file))


def _wait_for(file: Path) -> None:
    deadline = time.monotonic() + WRITE_SECONDS
    while not file.exists():
        if time.monotonic() > deadline:
            raise RuntimeError("the web process wrote no profile")
        time.sleep(0.05)


def _table(file: Path) -> str:
    text = io.StringIO()
    pstats.Stats(str(file), stream=text).sort_stats("tottime").print_stats(LINES)
    return text.getvalue().replace(f"{PROJECT}{os.sep}", "")
