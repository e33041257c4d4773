"""One supervised child: alive, or dead and due to be started again."""

from __future__ import annotations

import subprocess
import time

from gateway.supervisor.family import kill
from gateway.supervisor.program import Program, spawn

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 10.0
STEADY_AFTER = 10.0  # seconds alive after which its earlier deaths no longer count


class Child:
    """`deaths` counts the deaths in a row, each sooner than `STEADY_AFTER` seconds after its start.

    One that runs `once` is not started again.
    """

    def __init__(self, program: Program, *, once: bool = False) -> None:
        self.program = program
        self.once = once
        self.deaths = 0
        self.status = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._due = 0.0

    @property
    def running(self) -> bool:
        return self._process is not None

    @property
    def due_in(self) -> float | None:
        """Seconds until it is to be started again; None while it runs."""
        return None if self.running else max(0.0, self._due - time.monotonic())

    def start(self) -> None:
        self._process = spawn(self.program)
        self._started = time.monotonic()

    def bury(self) -> bool:
        """If it just died: end what it left behind, and set when to start it again. Whether it died."""
        if self._process is None or self._process.poll() is None:
            return False
        self.status = self._process.returncode
        self._process = None
        kill(self.program.family)
        steady = time.monotonic() - self._started > STEADY_AFTER
        self.deaths = 1 if steady else self.deaths + 1
        self._due = time.monotonic() + min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (self.deaths - 1))
        return True

    def ask_to_stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(self.program.stop_signal)

    def gone(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def finish(self) -> None:
        """Kill what is left of it and its helpers."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        kill(self.program.family)


def describe(status: int) -> str:
    """An exit status in words, as `Popen.returncode` gives it."""
    return f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
