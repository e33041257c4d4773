"""The web process under cProfile: `python -m benchmarks.profiled_server`; the result goes to `DATA_DIR/web.prof`.

Profiling begins at SIGUSR1 and ends at SIGUSR2, so that starting and warming up are not in it.
"""

from __future__ import annotations

import cProfile
import os
import signal
from pathlib import Path
from types import FrameType

from gateway import server

PROFILE = cProfile.Profile()


def _begin(signum: int, frame: FrameType | None) -> None:
    PROFILE.enable()


def _end(signum: int, frame: FrameType | None) -> None:
    PROFILE.disable()
    file = Path(os.environ["DATA_DIR"]) / "web.prof"
    PROFILE.dump_stats(file.with_suffix(".unfinished"))
    file.with_suffix(".unfinished").rename(file)


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, _begin)
    signal.signal(signal.SIGUSR2, _end)
    server.main()
