"""Everything that runs during a benchmark, in a scratch folder of its own and gone afterwards.

The gateway's web process has one core to itself; the provider, the load, PostgreSQL, Valkey and the drain
share another.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg
import yaml
from cryptography.fernet import Fernet

from benchmarks.meter import QUIET, Cores, Meter, Use
from benchmarks.script import SCRIPTS
from gateway.supervisor.database_place import find_place
from gateway.supervisor.family import kill
from gateway.supervisor.postgres import Postgres
from gateway.supervisor.private_folder import make_private_folder
from gateway.supervisor.program import Program, last_lines, spawn
from gateway.supervisor.system_user import SystemUser
from gateway.supervisor.valkey import Valkey, wheel_binary

PROJECT = Path(__file__).resolve().parent.parent
OURS = ("GATEWAY_", "UPSTREAM_", "ANTHROPIC_", "OPENAI_", "DJANGO_")
ORGANIZATION = "Benchmark"
START_SECONDS = 30.0
GLANCE_SECONDS = 0.25
IDLE = 0.12  # share of a core that idling processes may use
# Every limit there is, and each so high that nothing is refused.
PLENTY = 1_000_000_000
LIMITS = {
    "requests_per_minute": PLENTY,
    "tokens_per_minute": PLENTY,
    "input_tokens_per_minute": PLENTY,
    "output_tokens_per_minute": PLENTY,
    "concurrent_requests": 100_000,
}


# A partition that is made and filled in one transaction then needs no log: half of what is written otherwise.
FILLED = {"wal_level": "minimal", "max_wal_senders": "0", "max_wal_size": "4GB"}


@dataclass
class House:
    """What a round needs: two addresses, a key, and who is who among the processes.

    `answered` counts the answers that the gateway gave, in every round.
    """

    folder: Path
    cores: Cores
    key: str
    gateway_port: int
    provider_port: int
    worker: int
    company: int
    environment: dict[str, str]
    answered: int = 0

    def rest(self, *, patience: float) -> None:
        """Return when nothing of ours works any more (the drain has caught up; at most 20 s later), and when
        nobody else uses the gateway's core much, for which we wait `patience` seconds at most."""
        meter = self.meter()
        started = time.monotonic()
        before = meter.before()
        while (waited := time.monotonic() - started) < 20:
            time.sleep(GLANCE_SECONDS)
            now = meter.before()
            used = Use.between(before, now, self.cores)
            ours = used.worker + used.company
            if ours <= IDLE and (used.others_on_gateway_core <= QUIET or waited > patience):
                return
            before = now

    def meter(self) -> Meter:
        return Meter(worker=self.worker, company=self.company, cores=(self.cores.gateway, self.cores.rest))

    def recorded(self, expected: int) -> int:
        """How many attempts are in the ledger; waits until there are `expected`, at most 30 s."""
        deadline = time.monotonic() + 30
        while True:
            with psycopg.connect(self.environment["DATABASE_URL"]) as connection:
                row = connection.execute("SELECT count(*) FROM usage_event").fetchone()
            assert row is not None
            if row[0] >= expected or time.monotonic() > deadline:
                return int(row[0])
            time.sleep(0.5)


@contextlib.contextmanager
def open_house(*, server: tuple[str, ...] = ("-m", "gateway.server")) -> Iterator[House]:
    """Start everything, pin it to its core, and end it whatever happens. `server` is what Python runs as the web."""
    cores = Cores.available()
    with contextlib.ExitStack() as stack, _on_core(cores.rest):
        folder = stack.enter_context(_scratch_folder())
        environment = _start_stores(folder, stack)
        provider_socket, gateway_socket = _listener(stack), _listener(stack)
        key = _furnish(folder, environment, provider_port=_port(provider_socket))
        programs = _Programs(folder, environment)
        stack.enter_context(_running(programs.python("drain", "manage.py", "drain")))
        provider = programs.python("provider", "-m", "benchmarks.provider", listener=provider_socket)
        stack.enter_context(_running(provider))
        web = programs.python("web", *server, listener=gateway_socket)
        with _on_core(cores.gateway):
            worker = stack.enter_context(_running(web))
        _wait_until_ready(_port(gateway_socket), web, worker)
        yield House(
            folder=folder,
            cores=cores,
            key=key,
            gateway_port=_port(gateway_socket),
            provider_port=_port(provider_socket),
            worker=worker.pid,
            company=os.getpid(),
            environment=environment,
        )


@dataclass(frozen=True)
class Archives:
    """A web process on stores of its own; `said` is the last line of who furnished them."""

    port: int
    said: str
    environment: dict[str, str]
    folder: Path

    def manage(self, *arguments: str) -> str:
        return _manage(self.environment, *arguments)

    @contextlib.contextmanager
    def drain(self, core: int) -> Iterator[int]:
        """A drain that has that core; its process id."""
        program = _Programs(self.folder, self.environment).python("drain", "manage.py", "drain")
        with _on_core(core):
            process = spawn(program)
        try:
            yield process.pid
        finally:
            process.terminate()
            process.wait(10)


@contextlib.contextmanager
def open_archive(*furnishing: str) -> Iterator[Archives]:
    """The archives once `python -m furnishing...` ran on the migrated database. Nothing is pinned to a core."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(_scratch_folder())
        environment = _start_stores(folder, stack, FILLED)
        _manage(environment, "migrate", "--verbosity=0")
        said = _run(environment, "-m", *furnishing).splitlines()[-1]
        gateway_socket = _listener(stack)
        web = _Programs(folder, environment).python("web", "-m", "gateway.server", listener=gateway_socket)
        worker = stack.enter_context(_running(web))
        _wait_until_ready(_port(gateway_socket), web, worker)
        yield Archives(_port(gateway_socket), said, environment, folder)


@dataclass(frozen=True)
class Post:
    """What runs batches: a web process and a worker, with the simulator behind them, and a key."""

    port: int
    key: str
    web: int
    worker: int
    environment: dict[str, str]
    postgres_log: Path


# Every statement that changes rows is told, without its values.
COUNTED = {"log_statement": "mod", "log_parameter_max_length": "0"}
_WORKER = ("-m", "celery", "-A", "gateway", "--quiet", "worker", "--concurrency=4", "--without-gossip")


@contextlib.contextmanager
def open_post() -> Iterator[Post]:
    """Everything has the same two cores."""
    usual = os.sched_getaffinity(0)
    cores = Cores.available()
    with contextlib.ExitStack() as stack:
        stack.callback(os.sched_setaffinity, 0, usual)
        os.sched_setaffinity(0, {cores.gateway, cores.rest})
        folder = stack.enter_context(_scratch_folder())
        environment = _start_stores(folder, stack, COUNTED) | {"GATEWAY_SIMULATOR": "true"}
        file = folder / "gateway.yaml"
        file.write_text(yaml.safe_dump({"organizations": {ORGANIZATION: {"tier": "enterprise"}}}))
        _manage(environment, "migrate", "--verbosity=0")
        _manage(environment, "apply", str(file))
        key = _manage(
            environment, "create_api_key", "--organization", ORGANIZATION, "--name", "batches"
        ).splitlines()[-1]
        programs, listener = _Programs(folder, environment), _listener(stack)
        stack.enter_context(_running(programs.python("drain", "manage.py", "drain")))
        web_program = programs.python("web", "-m", "gateway.server", listener=listener)
        web = stack.enter_context(_running(web_program))
        worker_program = programs.python("worker", *_WORKER, "--without-mingle", "--loglevel=INFO")
        worker = stack.enter_context(_running(worker_program))
        _wait_until_ready(_port(listener), web_program, web)
        _wait_until_said(" ready", worker_program, worker)
        yield Post(_port(listener), key, web.pid, worker.pid, environment, folder / "Postgres.log")


def _wait_until_said(words: str, program: Program, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while words not in program.log.read_text():
        _check_started(program, process, deadline)
        time.sleep(0.05)


@contextlib.contextmanager
def _scratch_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="gw-bench-"))
    folder.chmod(0o711)  # root's PostgreSQL works as another user
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _start_stores(
    folder: Path, stack: contextlib.ExitStack, settings: Mapping[str, str] | None = None
) -> dict[str, str]:
    """PostgreSQL (with `settings`) and Valkey; the environment of a gateway that uses them."""
    postgres, valkey = _stores(folder, stack, settings or {})
    for store in (postgres, valkey):
        program = store.program(
            stack=folder, log=folder / f"{type(store).__name__}.log", environment=os.environ
        )
        stack.enter_context(_running(program))
    return _environment(postgres, valkey, folder)


def _stores(
    folder: Path, stack: contextlib.ExitStack, settings: Mapping[str, str]
) -> tuple[Postgres, Valkey]:
    place = find_place(folder)
    postgres = Postgres(
        data=place.data,
        sockets=_sockets("postgres", place.user, stack),
        binaries=place.binaries,
        user=place.user,
        settings=settings,
    )
    postgres.initialize()
    if place.data.parent != folder:
        stack.callback(shutil.rmtree, place.data.parent, ignore_errors=True)
    return postgres, Valkey(
        data=folder / "valkey", sockets=_sockets("valkey", None, stack), binary=wheel_binary()
    )


def _sockets(name: str, user: SystemUser | None, stack: contextlib.ExitStack) -> Path:
    folder = make_private_folder(name, user)
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _environment(postgres: Postgres, valkey: Valkey, folder: Path) -> dict[str, str]:
    """A gateway with the settings that an operator has who sets none."""
    given = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return given | {
        "SECRET_KEY": secrets.token_urlsafe(48),
        "GATEWAY_KEY_PEPPER": secrets.token_urlsafe(48),
        "GATEWAY_DATA_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "GATEWAY_DRAIN_SECONDS": "1",
        "DATABASE_URL": postgres.url,
        "REDIS_URL": valkey.url,
        "DATA_DIR": str(folder),
        "HOST": "127.0.0.1",
    }


def _furnish(folder: Path, environment: dict[str, str], *, provider_port: int) -> str:
    """The catalog, the tier and the organization, as an operator declares them; a key for it."""
    file = folder / "gateway.yaml"
    file.write_text(yaml.safe_dump(_declaration(provider_port)))
    _manage(environment, "migrate", "--verbosity=0")
    _manage(environment, "apply", str(file))
    return _manage(
        environment, "create_api_key", "--organization", ORGANIZATION, "--name", "load"
    ).splitlines()[-1]


def _declaration(provider_port: int) -> dict[str, object]:
    price = {"input": 3, "output": 15, "cache_read": 0.3, "cache_write_5m": 3.75, "cache_write_1h": 6}
    address, key = f"http://127.0.0.1:{provider_port}", "sk-scripted"
    return {
        "providers": {
            "anthropic": {"dialect": "anthropic", "base_url": address, "api_key": key},
            "openai": {"dialect": "openai", "base_url": f"{address}/v1", "api_key": key},
        },
        "models": {
            script.model: {"price": price, "routes": [{"provider": script.dialect, "model": script.model}]}
            for script in SCRIPTS.values()
        },
        "tiers": {"benchmark": LIMITS},
        "organizations": {ORGANIZATION: {"tier": "benchmark"}},
    }


def _manage(environment: dict[str, str], *arguments: str) -> str:
    return _run(environment, "manage.py", *arguments)


def _run(environment: dict[str, str], *arguments: str) -> str:
    """What Python said, given these arguments."""
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments[:2])} failed:\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


@dataclass(frozen=True)
class _Programs:
    """Python programs of this house."""

    folder: Path
    environment: dict[str, str]

    def python(self, name: str, *arguments: str, listener: socket.socket | None = None) -> Program:
        """One that finds its socket's descriptor in `GATEWAY_LISTEN_FD`."""
        inherited = () if listener is None else (listener.fileno(),)
        extra = {"GATEWAY_LISTEN_FD": str(inherited[0])} if inherited else {}
        return Program(
            name=name,
            command=(sys.executable, *arguments),
            stack=self.folder,
            folder=PROJECT,
            log=self.folder / f"{name}.log",
            environment=self.environment | extra,
            descriptors=inherited,
        )


@contextlib.contextmanager
def _running(program: Program) -> Iterator[subprocess.Popen[bytes]]:
    """Start `program`, wait until it is ready, and end it with all its helpers whatever happens."""
    process = spawn(program)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not program.ready():
            _check_started(program, process, deadline)
            time.sleep(0.02)
        yield process
    finally:
        process.send_signal(program.stop_signal)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
        kill(program.family)
        process.wait()


def _wait_until_ready(port: int, program: Program, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1).close()
            return
        except OSError:
            pass
        _check_started(program, process, deadline)
        time.sleep(0.05)


def _check_started(program: Program, process: subprocess.Popen[bytes], deadline: float) -> None:
    if process.poll() is not None or time.monotonic() > deadline:
        raise RuntimeError(f"{program.name} did not start:\n" + "\n".join(last_lines(program.log, 20)))


@contextlib.contextmanager
def _on_core(core: int) -> Iterator[None]:
    """What is started here stays on that core."""
    usual = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, usual)


def _listener(stack: contextlib.ExitStack) -> socket.socket:
    return stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=2048))


def _port(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])
