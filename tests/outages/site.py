"""A gateway whose stores may be stopped: PostgreSQL, Valkey, a provider, the operator, a drain, all its own."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import redis

from gateway.limits.replicas import KEY
from gateway.supervisor import family
from gateway.supervisor.postgres import Postgres
from gateway.supervisor.program import Program, last_lines, spawn
from gateway.supervisor.system_user import postgres_user
from gateway.supervisor.valkey import Valkey, wheel_binary
from tests import migrated
from tests.data_plane import wire
from tests.data_plane.house import PROJECT, BackOffice, Gateway, House, environment_of
from tests.upstream import Upstream

TOKENS = (
    "input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
)


class Store:
    """A store as a process that can be frozen, killed and started again."""

    def __init__(self, program: Program, wipe: Path | None = None) -> None:
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None
        self._data = wipe

    def start(self) -> None:
        self._process = spawn(self._program)
        deadline = time.monotonic() + 20
        while not self._program.ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("\n".join(last_lines(self._program.log, 20)))
            time.sleep(0.02)

    def freeze(self) -> None:
        """SIGSTOP to all of it: connections open, nothing is ever answered."""
        for process in family.members(self._program.family):
            process.suspend()

    def thaw(self) -> None:
        for process in family.members(self._program.family):
            process.resume()

    def kill(self, *, forget: bool = False) -> None:
        """SIGKILL; with `forget` the store loses all it held."""
        family.kill(self._program.family)
        assert self._process is not None
        self._process.wait()
        if forget and self._data is not None:
            shutil.rmtree(self._data)
            self._data.mkdir(mode=0o700)

    def stop(self) -> None:
        self.thaw()
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(5)
        family.kill(self._program.family)


class Drain:
    """The real `manage.py drain`, running from the beginning."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self._environment = environment
        self._log = log
        self.start()

    def start(self) -> None:
        command = [sys.executable, "manage.py", "drain"]
        with self._log.open("ab") as file:
            self._process = subprocess.Popen(
                command, cwd=PROJECT, env=self._environment, stdout=file, stderr=file
            )

    def freeze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        self.thaw()
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self.kill()


@dataclasses.dataclass
class Row:
    """What the ledger says of one attempt."""

    request_id: str
    status: int
    source: str
    tokens: tuple[int, ...]


@dataclasses.dataclass
class Site:
    folder: Path
    database: Postgres
    postgres: Store
    valkey: Store
    valkey_url: str
    house: House
    drain: Drain

    def gateway(self, name: str, *, module: str = "gateway.server", **environment: str) -> Gateway:
        """A further web process on the same stores, with a DATA_DIR of its own; not waited for."""
        data = self.folder / name
        data.mkdir(exist_ok=True)
        log = self.folder / f"{name}.log"
        return Gateway(self.house.environment | {"DATA_DIR": str(data)} | environment, log, module)

    def rows(self, key_id: str) -> list[Row]:
        """The ledger's rows of one key."""
        columns = ", ".join(TOKENS)
        with psycopg.connect(self.database.url) as connection:
            rows = connection.execute(
                f"SELECT request_id, status, usage_source, {columns} FROM usage_event"
                f" WHERE api_key_id = %s".encode(),
                [key_id],
            ).fetchall()
        return [Row(row[0], row[1], row[2], tuple(row[3:])) for row in rows]

    def attempt_times(self, organization_id: str) -> list[datetime.datetime]:
        """When an organization's attempts began, by the clocks of their processes, the first first."""
        with psycopg.connect(self.database.url) as connection:
            rows = connection.execute(
                "SELECT at FROM usage_event WHERE organization_id = %s ORDER BY at", [organization_id]
            ).fetchall()
        return [row[0] for row in rows]

    def rolled_up(self, key_id: str) -> tuple[int, ...]:
        """Requests and tokens of one key by the rollup of days."""
        columns = ", ".join(f"coalesce(sum({name}), 0)::bigint" for name in ("requests", *TOKENS))
        with psycopg.connect(self.database.url) as connection:
            (row,) = connection.execute(
                f"SELECT {columns} FROM usage_day WHERE api_key_id = %s".encode(), [key_id]
            ).fetchall()
        return tuple(row)

    def breaker(self, port: int) -> int:
        """1 where the process at this port takes Valkey to be away, as its figures say."""
        return self._figure(port, "gateway_valkey_breaker_open")

    def replicas(self, port: int) -> int:
        """How many web processes the one at this port knows of."""
        return self._figure(port, "gateway_replicas")

    def forget_replica(self, gateway: Gateway) -> None:
        """A killed process counts for a minute: not for the tests that follow."""
        for name in self.house.valkey.zrange(KEY, 0, -1):
            if name.startswith(b"%d-" % gateway.pid):
                self.house.valkey.zrem(KEY, name)

    def _figure(self, port: int, name: str) -> int:
        figures = asyncio.run(wire.ask(port, wire.request("GET", "/metrics", []))).body.decode()
        return int(float(figures.split(f"\n{name} ")[1].split("\n")[0]))

    def spooled_bytes(self) -> int:
        """What waits in the main gateway's spool."""
        return spooled_bytes(Path(self.house.environment["DATA_DIR"]))


def spooled_bytes(data: Path) -> int:
    return sum(map(_size, (data / "spool").glob("*.journal")))


def _size(file: Path) -> int:
    """Nothing of a segment that was done with, and deleted, between the look into the folder and this one."""
    with contextlib.suppress(FileNotFoundError):
        return file.stat().st_size
    return 0


@contextlib.contextmanager
def open_site(
    shared: Postgres, scratch_folders: Callable[[str], Path], name: str, **environment: str
) -> Iterator[Site]:
    """Everything up, furnished and ready; `shared` lends its binaries and settings."""
    folder = scratch_folders(name)
    with contextlib.ExitStack() as stack:
        database, postgres = _postgres(shared, folder)
        stack.callback(postgres.stop)
        valkey_url, valkey, client = _valkey(folder)
        stack.callback(valkey.stop)
        postgres.start()
        valkey.start()
        upstream = stack.enter_context(Upstream())
        house, drain = _house(folder, database, valkey_url, client, upstream, environment, stack)
        yield Site(folder, database, postgres, valkey, valkey_url, house, drain)


def until(true: Callable[[], bool], within: float = 10, what: str = "") -> float:
    """Wait; the seconds it took."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < within, what or f"not within {within} s"
        time.sleep(0.02)
    return time.monotonic() - began


def _postgres(shared: Postgres, folder: Path) -> tuple[Postgres, Store]:
    """What it says is committed stays for as long as the machine lives."""
    user = postgres_user(folder / "postgres")
    database = dataclasses.replace(
        shared,
        data=folder / "postgres",
        sockets=folder / "pg",
        user=user,
        settings={**shared.settings, "synchronous_commit": "on"},
    )
    database.sockets.mkdir(mode=0o700)
    if user is not None:
        shutil.chown(database.sockets, user.uid, user.gid)
    migrated.initialize(database, shared)
    return database, Store(
        database.program(stack=folder, log=folder / "postgres.log", environment=os.environ)
    )


def _valkey(folder: Path) -> tuple[str, Store, redis.Redis]:
    """As the supervisor runs it: each write is in its file before it is answered."""
    server = Valkey(data=folder / "valkey", sockets=folder, binary=wheel_binary())
    program = server.program(stack=folder, log=folder / "valkey.log", environment=os.environ)
    client = redis.Redis.from_url(server.url, socket_timeout=3)
    return server.url, Store(program, wipe=server.data), client


def _house(
    folder: Path,
    database: Postgres,
    valkey_url: str,
    client: redis.Redis,
    upstream: Upstream,
    extra: dict[str, str],
    stack: contextlib.ExitStack,
) -> tuple[House, Drain]:
    data = folder / "data"
    data.mkdir(mode=0o700)
    environment = environment_of(database.url, valkey_url, data) | extra
    office = BackOffice(environment, folder / "office.log")
    stack.callback(office.close)
    gateway = Gateway(environment, folder / "gateway.log")
    stack.callback(gateway.close)
    drain = Drain(environment, folder / "drain.log")
    stack.callback(drain.close)
    house = House(gateway, upstream, office, client, environment)
    house.furnish()
    gateway.wait_until_ready()
    return house, drain
