"""What the supervisor runs: a program told completely, and how to start it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.supervisor.family import Family, Marked, WorkingIn
from gateway.supervisor.system_user import SystemUser


def _at_once() -> bool:
    return True


@dataclass(frozen=True, kw_only=True)
class Program:
    """One program with everything needed to start, recognise and stop it.

    `stack` is the DATA_DIR it belongs to and `folder` its working directory; `private_folder` says that it
    alone works there (the stores do), by which its processes are recognised. `descriptors` are the open
    files it inherits. `ready` answers at once. Programs end in the order of `stop_rank`, those of one rank
    together, and each is killed `stop_by` seconds after the stop began.
    """

    name: str
    command: tuple[str, ...]
    stack: Path
    folder: Path
    log: Path
    environment: Mapping[str, str]
    user: SystemUser | None = None
    private_folder: bool = False
    descriptors: tuple[int, ...] = ()
    ready: Callable[[], bool] = _at_once
    stop_signal: signal.Signals = signal.SIGTERM
    stop_rank: int = 0
    stop_by: float = 5.0

    @property
    def mark(self) -> Marked:
        return Marked(self.stack, self.name)

    @property
    def family(self) -> Family:
        return WorkingIn(self.folder, Path(self.command[0]).name) if self.private_folder else self.mark


def spawn(program: Program) -> subprocess.Popen[bytes]:
    """Start `program` in a session (and so a process group) of its own, its output appended to its log."""
    user = program.user
    with open(program.log, "ab", opener=_private) as log:
        return subprocess.Popen(
            program.command,
            cwd=program.folder,
            env={**program.environment, **program.mark.environment()},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=program.descriptors,
            start_new_session=True,
            user=user.uid if user else None,
            group=user.gid if user else None,
            extra_groups=[] if user else None,
            umask=0o077,
        )


def last_lines(log: Path, count: int = 5) -> list[str]:
    """The end of a log file, for an error message."""
    try:
        with open(log, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 8192))
            return file.read().decode(errors="replace").splitlines()[-count:]
    except OSError:
        return []


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
