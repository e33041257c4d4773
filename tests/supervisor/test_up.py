"""`manage.py up` as a whole: killed children, a killed supervisor, stopping. One stack for the file."""

from __future__ import annotations

import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest

from gateway.supervisor.env_file import read_env
from gateway.supervisor.postgres import Postgres
from gateway.supervisor.valkey import Valkey
from tests import migrated
from tests.stack import CHILDREN, Stack, alive

pytestmark = pytest.mark.slow


@dataclass
class Started(Stack):
    seconds_to_start: float = 0.0


@pytest.fixture(scope="module")
def gateway(scratch_folders: Callable[[str], Path]) -> Iterator[Started]:
    stack = Started(scratch_folders("a folder with spaces") / ".data")
    stack.seconds_to_start = stack.start()
    yield stack
    if stack.process is not None and stack.process.poll() is None:
        stack.stop()
    assert _eventually(lambda: stack.processes() == [])


def test_the_first_start_is_ready_within_ten_seconds(gateway: Started) -> None:
    assert 0 < gateway.seconds_to_start < 10


def test_the_six_values_and_the_secrets_are_for_their_owner_only(gateway: Stack) -> None:
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in gateway.data_dir.glob("*.env")}

    assert modes == {"secrets.env": "0o600", "stack.env": "0o600", "quickstart.env": "0o600"}
    assert list(gateway.values) == [
        "ANTHROPIC_BASE_URL",
        "ANTHROPIC_API_KEY",
        "GATEWAY_ADMIN_KEY",
        "GATEWAY_DASHBOARD_URL",
        "GATEWAY_ADMIN_EMAIL",
        "GATEWAY_ADMIN_PASSWORD",
    ]


def test_the_banner_shows_the_values_and_a_curl_line_that_works(gateway: Stack) -> None:
    for name, value in gateway.values.items():
        assert f"  {name}={value}\n" in gateway.output
    curl = next(line for line in gateway.output.splitlines() if line.startswith("curl "))

    answer = subprocess.run(curl, shell=True, capture_output=True, text=True, timeout=20, check=True)

    assert '"type":"message"' in answer.stdout.replace('": "', '":"')
    assert shlex.split(curl)[0] == "curl"


def test_every_command_finds_the_running_stack_through_data_dir(gateway: Stack) -> None:
    made = gateway.manage("create_api_key", "--organization", "Default", "--name", "From the command line")

    key = made.stdout.splitlines()[-1]
    answer = httpx.get(f"{gateway.base_url}/v1/models", headers={"x-api-key": key})
    assert (key.startswith("sk-gw-api01-"), answer.status_code) == (True, 200)


def test_each_child_leads_a_process_group_of_its_own(gateway: Stack) -> None:
    groups = {name: psutil.Process(child.pid) for name, child in gateway.children().items()}

    assert sorted(groups) == sorted(CHILDREN)
    assert all(_group(child) == child.pid for child in groups.values())


@pytest.mark.parametrize("name", CHILDREN)
def test_a_killed_child_is_started_again_and_the_gateway_answers(gateway: Stack, name: str) -> None:
    """A connection that is made while the web is dead waits until it is back."""
    before = gateway.children()
    family = [before[name], *before[name].children(recursive=True)]

    before[name].kill()

    assert httpx.get(f"{gateway.base_url}/healthz", timeout=20).status_code == 200
    assert _eventually(lambda: gateway.children().get(name, before[name]) != before[name])
    assert _eventually(lambda: _answers(gateway))
    after = gateway.children()
    assert {other for other in CHILDREN if after.get(other) != before[other]} == {name}
    assert alive(family) == []


def test_a_second_start_on_the_same_folder_is_refused_in_one_line(gateway: Stack) -> None:
    assert gateway.process is not None
    status, lines = Stack(gateway.data_dir).refuse()

    assert (status, len(lines)) == (1, 1)
    assert f"(process {gateway.process.pid}) already runs on {gateway.data_dir}" in lines[0]
    assert "DATA_DIR=" in lines[0]


def test_a_busy_port_is_told_in_one_line(gateway: Stack, scratch: Path) -> None:
    status, lines = Stack(scratch / ".data", port=gateway.port).refuse()

    assert (status, len(lines)) == (1, 1)
    assert f"Port {gateway.port} on 127.0.0.1 is in use" in lines[0]
    assert f"make up PORT={gateway.port + 1}" in lines[0]
    assert not (scratch / ".data" / "postgres").exists()


def test_the_supervisor_is_idle_when_nothing_happens(gateway: Stack) -> None:
    assert gateway.process is not None
    supervisor = psutil.Process(gateway.process.pid)
    before = supervisor.cpu_times()

    time.sleep(2)

    after = supervisor.cpu_times()
    assert after.user + after.system - before.user - before.system <= 0.04


def test_after_a_sigkill_of_the_supervisor_the_next_start_ends_what_was_left(gateway: Stack) -> None:
    key, secrets = gateway.api_key, read_env(gateway.data_dir / "secrets.env")
    left = gateway.processes()
    gateway.stop(signal.SIGKILL)
    assert len(alive(left)) > len(CHILDREN)

    gateway.start()

    assert alive(left) == []
    assert "that an earlier run left behind" in gateway.output
    assert (gateway.api_key, read_env(gateway.data_dir / "secrets.env")) == (key, secrets)
    assert gateway.ask().status_code == 200


@pytest.mark.long
def test_even_frozen_children_end_within_ten_seconds_and_the_next_start_works(gateway: Stack) -> None:
    key = gateway.api_key
    for process in gateway.processes():
        process.suspend()

    status, seconds = gateway.stop(signal.SIGTERM)

    assert (status, gateway.processes()) == (0, [])
    assert seconds < 10
    gateway.start()
    assert (gateway.ask().status_code, gateway.api_key) == (200, key)


def test_sigterm_ends_all_in_order_and_the_data_stays(gateway: Stack) -> None:
    key, sockets = gateway.api_key, _socket_folders(gateway)
    deaths = _Deaths(gateway.children())

    status, seconds = gateway.stop(signal.SIGTERM)

    assert (status, gateway.processes()) == (0, [])
    assert seconds < 10
    when = deaths.times()
    assert when["web"] < min(when["worker"], when["beat"]) <= max(when["worker"], when["beat"])
    assert max(when["worker"], when["beat"]) < when["drain"] < when["valkey"] < when["postgres"]
    assert gateway.api_key == key
    assert [folder for folder in sockets if folder.exists()] == []
    assert not (gateway.data_dir / "stack.env").exists()


def test_given_stores_are_used_instead_of_embedded_ones(
    scratch: Path, postgres_server: Postgres, valkey_server: Valkey
) -> None:
    database = migrated.new_database(postgres_server, "elsewhere")
    stack = Stack(scratch / ".data", extra={"DATABASE_URL": database, "REDIS_URL": valkey_server.url})

    stack.start()
    answer, children, files = stack.ask(), sorted(stack.children()), list(stack.data_dir.iterdir())
    status, _ = stack.stop()

    assert (answer.status_code, status) == (200, 0)
    assert children == ["beat", "drain", "web", "worker"]
    assert {"postgres", "valkey"}.isdisjoint(path.name for path in files)


def test_ctrl_c_with_an_open_stream_ends_all_when_the_time_of_streams_is_over(gateway: Stack) -> None:
    extra = {"GATEWAY_SIMULATOR_DELAY_MS": "3000", "GATEWAY_DRAIN_SECONDS": "2"}  # of five seconds
    slow = Stack(gateway.data_dir, port=gateway.port, extra=extra)
    slow.start()
    stream = _OpenStream(slow)

    status, seconds = slow.stop(signal.SIGINT)

    assert (status, slow.processes()) == (0, [])
    assert 1 < seconds < 7
    assert "event: error" in stream.text() or "message_stop" in stream.text()


def _answers(stack: Stack) -> bool:
    try:
        return stack.ask(timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def _eventually(condition: Callable[[], bool], within: float = 15.0) -> bool:
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _group(process: psutil.Process) -> int:
    return int(Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[2])


def _socket_folders(stack: Stack) -> list[Path]:
    lines = (stack.data_dir / "run" / "socket-folders").read_text().splitlines()
    assert [Path(line).stat().st_mode & 0o777 for line in lines] == [0o700, 0o700]
    return [Path(line) for line in lines]


class _Deaths:
    """Notes when each of these processes ends."""

    def __init__(self, children: dict[str, psutil.Process]) -> None:
        self._times: dict[str, float] = {}
        self._threads = [threading.Thread(target=self._watch, args=item) for item in children.items()]
        for thread in self._threads:
            thread.start()

    def times(self) -> dict[str, float]:
        for thread in self._threads:
            thread.join()
        return self._times

    def _watch(self, name: str, process: psutil.Process) -> None:
        process.wait(60)
        self._times[name] = time.monotonic()


class _OpenStream:
    """A stream that has begun; it is read to its end in the background."""

    def __init__(self, stack: Stack) -> None:
        self._parts: list[str] = []
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._read, args=(stack,))
        self._thread.start()
        assert self._begun.wait(20)

    def text(self) -> str:
        self._thread.join()
        return "".join(self._parts)

    def _read(self, stack: Stack) -> None:
        question = {"role": "user", "content": "Tell me a long story"}
        body = {"model": "claude-sonnet-4-5", "max_tokens": 500, "stream": True, "messages": [question]}
        headers = {"x-api-key": stack.api_key, "anthropic-version": "2023-06-01"}
        url = f"{stack.base_url}/v1/messages"
        with httpx.stream("POST", url, headers=headers, json=body, timeout=60) as answer:
            for part in answer.iter_text():
                self._parts.append(part)
                self._begun.set()
