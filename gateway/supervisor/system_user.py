"""The user that PostgreSQL runs as when the supervisor runs as root: PostgreSQL refuses to be root."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.supervisor.problem import StartProblem

DEDICATED = "gateway-postgres"
FALLBACKS = ("postgres", "nobody")


@dataclass(frozen=True)
class SystemUser:
    name: str
    uid: int
    gid: int

    def can(self, *command: str | os.PathLike[str]) -> bool:
        """Whether `command` succeeds when this user runs it: the one honest test of what a user may reach."""
        try:
            return run_as(self, command, stderr=subprocess.DEVNULL).returncode == 0
        except OSError:
            return False  # it may not even start the program


def postgres_user(data: Path) -> SystemUser | None:
    """The user to run PostgreSQL as; None means as ourselves.

    Existing database files decide by their owner, so that a folder once used goes on working.
    Otherwise root takes a user made for this, or an unprivileged one that every system has.
    """
    if os.geteuid() != 0:
        return None
    if data.is_dir() and data.stat().st_uid != 0:
        owner = data.stat()
        return _known(owner.st_uid) or SystemUser(str(owner.st_uid), owner.st_uid, owner.st_gid)
    _create(DEDICATED)
    for name in (DEDICATED, *FALLBACKS):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return SystemUser(entry.pw_name, entry.pw_uid, entry.pw_gid)
    raise StartProblem("PostgreSQL may not run as root and there is no other user: run as an ordinary user.")


def run_as(
    user: SystemUser | None,
    command: Sequence[str | os.PathLike[str]],
    *,
    text_in: str = "",
    stderr: int = subprocess.STDOUT,
) -> subprocess.CompletedProcess[str]:
    """Run a short command from `/` as `user` (None: as ourselves) and return what it printed."""
    return subprocess.run(
        command,
        cwd="/",
        input=text_in,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        errors="replace",
        check=False,
        start_new_session=True,  # Ctrl-C is for the supervisor to handle
        user=user.uid if user else None,
        group=user.gid if user else None,
        extra_groups=[] if user else None,
    )


def _create(name: str) -> None:
    """Make the user where the system lets us; where it does not, the fallbacks serve."""
    useradd = shutil.which("useradd", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if useradd is None or _exists(name):
        return
    options = ["--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
    subprocess.run(
        [useradd, *options, "--shell", "/usr/sbin/nologin", name],
        capture_output=True,
        check=False,
        timeout=10,
    )


def _exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _known(uid: int) -> SystemUser | None:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return None
    return SystemUser(entry.pw_name, entry.pw_uid, entry.pw_gid)
