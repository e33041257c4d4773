"""What the supervisor runs: a program told completely, and the process that came of it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.supervisor.system_user import SystemUser


def _at_once() -> bool:
    return True


@dataclass(frozen=True, kw_only=True)
class Program:
    """One program with everything needed to start and stop it.

    `folder` is its working directory. A store works in its own data folder, by which its helper
    processes can be told from those of others (`family.py`); `private_folder` says so.
    `descriptors` are the open files it inherits. `ready` must answer at once.
    """

    name: str
    command: tuple[str, ...]
    folder: Path
    log: Path
    environment: Mapping[str, str]
    user: SystemUser | None = None
    private_folder: bool = False
    descriptors: tuple[int, ...] = ()
    stop_signal: signal.Signals = signal.SIGTERM
    ready: Callable[[], bool] = _at_once


def spawn(program: Program) -> subprocess.Popen[bytes]:
    """Start `program` in a session (and so a process group) of its own, its output appended to its log."""
    user = program.user
    with open(program.log, "ab") as log:
        return subprocess.Popen(
            program.command,
            cwd=program.folder,
            env=dict(program.environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=program.descriptors,
            start_new_session=True,
            user=user.uid if user else None,
            group=user.gid if user else None,
            extra_groups=[] if user else None,
            umask=0o077 if user else -1,
        )


def last_lines(log: Path, count: int = 5) -> list[str]:
    """The end of a log file, for an error message."""
    try:
        with open(log, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 8192))
            return file.read().decode(errors="replace").splitlines()[-count:]
    except OSError:
        return []
