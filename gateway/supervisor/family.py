"""Every process that a child of the supervisor brought into the world, and how to end them all.

A killed parent leaves its own children behind: Celery's pool, PostgreSQL's backends (each in a session of
its own). They are found by what cannot be mistaken: the process group of the child, or, for a store, a
process of the store's name that works in the store's private folder.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from gateway.supervisor.program import Program


@dataclass(frozen=True, kw_only=True)
class Family:
    """Names the processes of one child: its pid (also its process group), when it began (clock ticks since
    the machine started, which no change of the clock disturbs), and, for a store, the folder that it
    alone works in; `marker` is the DATA_DIR in the environment of the others."""

    name: str
    pid: int
    began: int
    executable: str
    folder: str = ""
    marker: str = ""

    def leader(self) -> psutil.Process | None:
        """The child itself, unless it is gone: a pid may have passed on to a stranger."""
        try:
            process = psutil.Process(self.pid)
            alive = process.status() != psutil.STATUS_ZOMBIE
            return process if alive and began(self.pid) == self.began else None
        except (psutil.NoSuchProcess, OSError):
            return None

    def members(self) -> list[psutil.Process]:
        known = self.leader() is not None
        return [process for process in psutil.process_iter() if self._holds(process, known)]

    def signal(self, number: signal.Signals) -> None:
        """Tell the child itself; it knows how to end its own."""
        if (process := self.leader()) is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def kill(self, *, patience: float = 2.0) -> None:
        """SIGKILL every member and wait until none is left, `patience` seconds at most."""
        deadline = time.monotonic() + patience
        while members := self.members():
            for process in members:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            if time.monotonic() > deadline:
                return
            time.sleep(0.01)

    def _holds(self, process: psutil.Process, leader_known: bool) -> bool:
        try:
            if process.status() == psutil.STATUS_ZOMBIE or began(process.pid) < self.began:
                return False
            if os.getpgid(process.pid) == self.pid:
                return leader_known or self._bears_marker(process)
            return bool(self.folder) and self._works_here(process)
        except (psutil.Error, OSError):
            return False

    def _bears_marker(self, process: psutil.Process) -> bool:
        if self.folder:
            return self._works_here(process)
        return self.marker == process.environ().get("DATA_DIR", "")

    def _works_here(self, process: psutil.Process) -> bool:
        return process.name() == self.executable and process.cwd() == self.folder


def family_of(program: Program, pid: int) -> Family:
    """The family of a process just started from `program` and not yet waited for."""
    return Family(
        name=program.name,
        pid=pid,
        began=began(pid),
        executable=Path(program.command[0]).name,
        folder=str(program.folder) if program.private_folder else "",
        marker=program.environment.get("DATA_DIR", ""),
    )


def began(pid: int) -> int:
    """When a process began, in clock ticks since the machine started (proc(5), field 22 of `stat`)."""
    stat = Path(f"/proc/{pid}/stat").read_text()
    return int(stat.rpartition(")")[2].split()[19])
