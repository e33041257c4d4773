"""Every process that belongs to one child of the supervisor, and how to end them.

A killed parent leaves its own children behind: Celery's pool, or PostgreSQL's backends (each in a session
of its own). And a killed supervisor leaves all of its children behind. They are recognised by what they
are, not by remembered pids, which pass on to strangers.
"""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

STACK_MARK = "GATEWAY_STACK"
CHILD_MARK = "GATEWAY_CHILD"


@dataclass(frozen=True)
class Marked:
    """Processes with our two marks in their environment; the name `web` also stands for `web-1`, `web-2`."""

    stack: Path
    name: str

    def holds(self, process: psutil.Process) -> bool:
        environment = process.environ()
        child = environment.get(CHILD_MARK, "")
        return environment.get(STACK_MARK) == str(self.stack) and (
            child == self.name or child.startswith(self.name + "-")
        )

    def environment(self) -> Mapping[str, str]:
        return {STACK_MARK: str(self.stack), CHILD_MARK: self.name}


@dataclass(frozen=True)
class WorkingIn:
    """Processes of a store: of its name, and working in its private folder. (PostgreSQL overwrites its
    environment with its process title.)"""

    folder: Path
    executable: str

    def holds(self, process: psutil.Process) -> bool:
        return process.name() == self.executable and process.cwd().removesuffix(" (deleted)") == str(
            self.folder
        )


Family = Marked | WorkingIn


def members(family: Family) -> list[psutil.Process]:
    """Its living processes, whoever started them."""
    psutil.process_iter.cache_clear()  # it would take a stranger with a pid that passed on for the old process
    return [process for process in psutil.process_iter() if _belongs(process, family)]


def end(families: Sequence[Family], number: signal.Signals, *, patience: float) -> int:
    """Send them the signal, kill those left after `patience` seconds; how many processes there were."""
    found = [process for family in families for process in members(family)]
    for process in found:
        _send(process, number)
    _wait_for_the_end(found, patience)
    for family in families:
        kill(family)
    return len(found)


def kill(family: Family, *, patience: float = 2.0) -> None:
    """SIGKILL every process of it and wait until none is left, `patience` seconds at most."""
    deadline = time.monotonic() + patience
    while (left := members(family)) and time.monotonic() < deadline:
        for process in left:
            _send(process, signal.SIGKILL)
        _wait_for_the_end(left, 0.2)


def _send(process: psutil.Process, number: signal.Signals) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def _wait_for_the_end(processes: Sequence[psutil.Process], seconds: float) -> None:
    """A zombie has ended: orphans stay zombies until init gets round to them, in some containers for ever."""
    deadline = time.monotonic() + seconds
    while any(_alive(process) for process in processes) and time.monotonic() < deadline:
        time.sleep(0.01)


def _alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _belongs(process: psutil.Process, family: Family) -> bool:
    try:
        return _alive(process) and family.holds(process)
    except (psutil.Error, OSError):
        return False  # gone meanwhile, or of another user
