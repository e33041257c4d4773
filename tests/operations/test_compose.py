"""No Docker is needed here: what docker-compose.yml would start is started against the stores of the tests."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import DEVNULL

import psycopg
import pytest
import redis

from gateway.configuration import PROJECT_DIR, Configuration
from gateway.supervisor.postgres import Postgres
from gateway.supervisor.valkey import Valkey, wheel_binary
from tests.ports import free_port

from .compose import SECRETS, Missing, Service, services

SERVICES = services(SECRETS)
OURS = {name: service for name, service in SERVICES.items() if service.is_ours}
RUNNING = [name for name in OURS if name != "migrate"]
ALIASES = {field.alias: field for field in Configuration.model_fields.values() if field.alias}


def test_every_process_of_the_gateway_has_a_service_beside_the_two_stores() -> None:
    assert set(SERVICES) == {"postgres", "valkey", "migrate", "web", "worker", "beat", "drain"}
    assert (SERVICES["postgres"].image, SERVICES["valkey"].image) == ("postgres:18", "valkey/valkey:9")


@pytest.mark.parametrize("secret", SECRETS)
def test_nothing_starts_without_its_secrets(secret: str) -> None:
    with pytest.raises(Missing, match=f"{secret} is not set"):
        services({name: value for name, value in SECRETS.items() if name != secret})


def test_no_secret_is_written_in_the_file() -> None:
    text = (PROJECT_DIR / "docker-compose.yml").read_text()
    secrets = re.findall(r"\$\{(\w+(?:KEY|KEYS|PASSWORD|PEPPER))(:[-?][^}]*)?\}", text)
    assert len(secrets) == 7
    assert [name for name, otherwise in secrets if not otherwise.startswith(":?") and otherwise != ":-"] == []


@pytest.mark.parametrize("name", OURS)
def test_variables_are_those_that_the_configuration_reads(name: str) -> None:
    given = set(OURS[name].environment)
    required = {alias for alias, field in ALIASES.items() if field.is_required()}
    assert given - set(ALIASES) == set()
    assert required - given == set()
    Configuration.model_validate({alias: value for alias, value in OURS[name].environment.items() if value})


@pytest.mark.parametrize("name", SERVICES)
def test_what_runs_on_is_checked_restarted_and_kept_private(name: str) -> None:
    written = SERVICES[name].written
    once = name == "migrate"
    assert bool(SERVICES[name].health_check) is not once
    assert written["restart"] == ("no" if once else "unless-stopped")
    assert all(port.startswith("127.0.0.1:") for port in written.get("ports", []))
    assert ("ports" in written) == (name == "web")


@pytest.mark.parametrize("name", RUNNING)
def test_processes_wait_for_the_migration_and_the_stores(name: str) -> None:
    waits = {other: how["condition"] for other, how in OURS[name].written["depends_on"].items()}
    assert waits == {
        "migrate": "service_completed_successfully",
        "postgres": "service_healthy",
        "valkey": "service_healthy",
    }


def test_streams_may_finish_before_the_web_is_killed() -> None:
    web = OURS["web"]
    assert (
        int(web.written["stop_grace_period"].removesuffix("s"))
        > float(web.environment["GATEWAY_DRAIN_SECONDS"]) + 5
    )


@pytest.fixture(scope="module")
def database(postgres_server: Postgres) -> Iterator[str]:
    """The address of an empty database."""
    name = "compose"
    with psycopg.connect(postgres_server.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield re.sub(r"(?<=/)\w+(?=\?|$)", name, postgres_server.url)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def volume(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What stands for the volume `data` and for /tmp."""
    return tmp_path_factory.mktemp("compose")


@pytest.fixture(scope="module")
def migrated(database: str, valkey_server: Valkey, volume: Path) -> subprocess.CompletedProcess[str]:
    """The service `migrate` once it ended."""
    with redis.Redis.from_url(valkey_server.url) as client:
        client.flushdb()
    command, environment = _here(OURS["migrate"], OURS["migrate"].command, database, valkey_server, volume)
    return subprocess.run(
        command, env=environment, cwd=PROJECT_DIR, capture_output=True, text=True, timeout=120
    )


def test_the_migration_prepares_a_first_run_and_prints_no_secret(
    migrated: subprocess.CompletedProcess[str], volume: Path
) -> None:
    assert (migrated.returncode, migrated.stderr) == (0, "")
    file = volume / "quickstart.env"
    values = dict(line.split("=", 1) for line in file.read_text().splitlines())
    assert values["ANTHROPIC_BASE_URL"] == "http://127.0.0.1:8000"
    assert file.stat().st_mode & 0o777 == 0o600
    secrets = [value for name, value in values.items() if name.endswith(("KEY", "PASSWORD"))]
    assert len(secrets) == 3 and [secret for secret in secrets if secret in migrated.stdout] == []


@pytest.fixture(scope="module")
def found_before(
    migrated: subprocess.CompletedProcess[str], database: str, valkey_server: Valkey, volume: Path
) -> dict[str, int]:
    """What each health check says while nothing runs. They are asked at once: one of them waits for three seconds."""
    checks = {
        name: subprocess.Popen(check, env=environment, cwd=PROJECT_DIR, stdout=DEVNULL, stderr=DEVNULL)
        for name in RUNNING
        for check, environment in [
            _here(OURS[name], OURS[name].health_check, database, valkey_server, volume)
        ]
    }
    return {name: check.wait(30) for name, check in checks.items()}


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNNING)
def test_each_command_runs_is_found_healthy_and_ends_when_asked(
    name: str,
    found_before: dict[str, int],
    database: str,
    valkey_server: Valkey,
    volume: Path,
    tmp_path: Path,
) -> None:
    service = OURS[name]
    command, environment = _here(service, service.command, database, valkey_server, volume)
    check, _ = _here(service, service.health_check, database, valkey_server, volume)
    assert found_before[name] != 0, "the health check finds what does not run"
    with (tmp_path / "log").open("w+") as log, _started(command, environment, log.fileno()) as process:
        _until(
            lambda: name != "worker" or "ready" in (tmp_path / "log").read_text(), 30
        )  # else the check waits long
        _until_healthy(process, check, environment, tmp_path / "log")
        process.terminate()
        assert process.wait(15) in (0, -signal.SIGTERM)  # uvicorn finishes, then ends by the signal it got
    assert _troubles(tmp_path / "log") == []


def test_the_command_of_valkey_is_one_that_valkey_takes(tmp_path: Path) -> None:
    command = [str(wheel_binary()), *SERVICES["valkey"].command[1:], "--port", "0"]
    socket_file = tmp_path / "s"
    with (
        _started([*command, "--unixsocket", str(socket_file), "--dir", str(tmp_path)], dict(os.environ)),
        redis.Redis(unix_socket_path=str(socket_file)) as client,
    ):
        _until(lambda: socket_file.exists() and bool(client.ping()))
        settings = client.config_get("appendonly", "maxmemory-policy", "appendfsync")
    assert settings == {"appendonly": "yes", "maxmemory-policy": "noeviction", "appendfsync": "everysec"}


def _here(
    service: Service, command: list[str], database: str, valkey: Valkey, volume: Path
) -> tuple[list[str], dict[str, str]]:
    """A command and its environment with the addresses, folders and programs of this machine."""
    environment = service.environment | {
        "DATABASE_URL": database,
        "REDIS_URL": valkey.url,
        "DATA_DIR": str(volume),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    if "PORT" in environment:
        environment |= {"HOST": "127.0.0.1", "PORT": str(free_port())}
    return [word.replace("/tmp", str(volume)) for word in command], environment


@contextmanager
def _started(
    command: list[str], environment: dict[str, str], log: int = DEVNULL
) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, env=environment, cwd=PROJECT_DIR, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _run(command: list[str], environment: dict[str, str]) -> int:
    return subprocess.run(
        command, env=environment, cwd=PROJECT_DIR, capture_output=True, timeout=30
    ).returncode


def _until_healthy(
    process: subprocess.Popen[bytes], check: list[str], environment: dict[str, str], log: Path
) -> None:
    end = time.monotonic() + 30
    while _run(check, environment) != 0:
        assert process.poll() is None and time.monotonic() < end, log.read_text()
        time.sleep(0.2)


def _troubles(log: Path) -> list[str]:
    """Lines that tell of an error, or that are no JSON; Celery alone says good-bye in plain words."""
    lines = [line for line in log.read_text().splitlines() if line.strip()]
    lines = [line for line in lines if line != "worker: Warm shutdown (MainProcess)"]
    return [
        line
        for line in lines
        if not line.startswith("{") or json.loads(line)["level"] in ("error", "critical")
    ]


def _until(happened: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.05)
