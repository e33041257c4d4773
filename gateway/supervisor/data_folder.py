"""DATA_DIR: made when absent, used by one stack at a time."""

from __future__ import annotations

import fcntl
import os
import time
from dataclasses import dataclass
from pathlib import Path

from gateway.supervisor.problem import StartProblem

STOPPING = "stopping"
PATIENCE_WITH_A_STOPPING_STACK = 15.0


def prepare(data_dir: Path) -> None:
    """Make the folder and those inside it. As root others may pass through it: PostgreSQL is another user."""
    try:
        if not data_dir.exists():
            data_dir.mkdir(parents=True)
            data_dir.chmod(0o711 if os.geteuid() == 0 else 0o700)
        for name in ("logs", "run"):
            (data_dir / name).mkdir(mode=0o700, exist_ok=True)
    except OSError as problem:
        raise StartProblem(
            f"DATA_DIR {data_dir} cannot be used ({problem.strerror}): give a folder that you may write to, "
            f"for instance `make up DATA_DIR=$HOME/gateway`."
        ) from None
    if not os.access(data_dir, os.R_OK | os.W_OK | os.X_OK):
        raise StartProblem(
            f"DATA_DIR {data_dir} may not be written by you: change its owner or choose another."
        )


@dataclass(frozen=True)
class Lock:
    """Held as long as this process lives, however it ends."""

    descriptor: int

    def tell_stopping(self) -> None:
        """So that the next stack waits for us instead of giving up."""
        _write(self.descriptor, STOPPING)

    def release(self) -> None:
        os.close(self.descriptor)


def lock(folder: Path) -> Lock:
    """Take the folder for this process, waiting only for a stack that is about to end."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + PATIENCE_WITH_A_STOPPING_STACK
    while not _taken(descriptor):
        holder, _, state = os.pread(descriptor, 100, 0).decode(errors="replace").partition(" ")
        if state != STOPPING or time.monotonic() > deadline:
            os.close(descriptor)
            raise StartProblem(
                f"A gateway (process {holder}) already runs on {folder}: stop it (Ctrl-C in its window, or "
                f"`kill {holder}`), or choose another folder and port: `make up DATA_DIR=... PORT=...`."
            )
        time.sleep(0.1)
    _write(descriptor, "running")
    return Lock(descriptor)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write(descriptor: int, state: str) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()} {state}".encode(), 0)
