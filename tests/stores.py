"""Running one program of the supervisor for the length of a `with`."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from gateway.supervisor.family import kill
from gateway.supervisor.program import Program, last_lines, spawn


@contextmanager
def running(program: Program) -> Iterator[subprocess.Popen[bytes]]:
    """Start `program`, wait until it is ready, and end it with all its helpers whatever happens."""
    process = spawn(program)
    try:
        _wait_until_ready(program, process)
        yield process
    finally:
        process.send_signal(program.stop_signal)
        with suppress(subprocess.TimeoutExpired):
            process.wait(5)
        kill(program.family)
        process.wait()


def _wait_until_ready(program: Program, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while not program.ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{program.name} did not start:\n" + "\n".join(last_lines(program.log, 20)))
        time.sleep(0.02)
