"""Who owns which files of a shared folder: each process holds a lock on `<owner>.lock` for as long as it lives."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Collection
from pathlib import Path

LOCK = ".lock"
UNNAMED = ".new"


class Owner:
    """A name of this process's own, or of a dead one's that it adopted; the lock is ours while `take`n."""

    def __init__(self, folder: Path, name: str = "") -> None:
        self.name = name or f"{os.getpid()}-{secrets.token_hex(8)}"
        self._folder = folder
        self._lock: int | None = None

    def take(self) -> None:
        """Locked before it has its name, so that nobody ever finds it unlocked while we live."""
        if self._lock is None:
            unnamed = self._folder / f"{self.name}{UNNAMED}"
            self._lock = os.open(unnamed, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            unnamed.rename(self._file)

    def take_from_the_dead(self) -> bool:
        """Whether its process is dead; its lock is then ours. One without a lock file can only be dead."""
        lock = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return False
        self._lock = lock
        return True

    def let_go(self) -> None:
        """As dying would."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def forget(self) -> None:
        """Nothing is left of it."""
        if self._lock is not None:
            self._file.unlink(missing_ok=True)
        self.let_go()

    @property
    def _file(self) -> Path:
        return self._folder / f"{self.name}{LOCK}"


def adopted_owners(folder: Path, known: Collection[str]) -> list[Owner]:
    """All owners that are dead, their locks now ours; `known` are not looked at."""
    owners = [Owner(folder, name) for name in sorted(_names(folder) - set(known))]
    return [owner for owner in owners if owner.take_from_the_dead()]


def _names(folder: Path) -> set[str]:
    """`<owner>.lock`, and `<nanoseconds>.<owner>.<anything>`."""
    locks = {path.name.removesuffix(LOCK) for path in folder.glob(f"*{LOCK}")}
    files = {path.name.split(".")[1] for path in folder.glob("*.*.journal")}
    return locks | files
