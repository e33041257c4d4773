"""Short folders for Unix sockets, which nobody but their owner (and root) can enter.

A socket's path may have 107 bytes, and DATA_DIR may be longer than that, so sockets do not lie in it.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from pathlib import Path

from gateway.supervisor.system_user import SystemUser

LONGEST_SOCKET_PATH = 107
_SPARE = len("gw-postgres-12345678/.s.PGSQL.5432.lock") + 1


def make_private_folder(name: str, owner: SystemUser | None = None) -> Path:
    """A new empty folder of mode 0700, owned by `owner`, with a path short enough for a socket in it."""
    folder = Path(tempfile.mkdtemp(prefix=f"gw-{name}-", dir=_short_temporary_folder()))
    if owner is not None:
        os.chown(folder, owner.uid, owner.gid)
    return folder


def remove_private_folder(folder: Path, owners: frozenset[int]) -> None:
    """Remove such a folder if it still is one of ours: in `/tmp` another user may have taken its name."""
    try:
        state = folder.lstat()
    except FileNotFoundError:
        return
    if folder.name.startswith("gw-") and stat.S_ISDIR(state.st_mode) and state.st_uid in owners:
        shutil.rmtree(folder, ignore_errors=True)


def _short_temporary_folder() -> str:
    """`TMPDIR` where it is short and open to other users (PostgreSQL's may be another), else `/tmp`."""
    given = tempfile.gettempdir()
    short = len(os.fsencode(given)) + _SPARE <= LONGEST_SOCKET_PATH
    return given if short and os.geteuid() != 0 else "/tmp"
