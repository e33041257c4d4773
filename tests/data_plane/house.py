"""The gateway under test with everything around it: stores of its own, a scripted provider, an operator."""

from __future__ import annotations

import asyncio
import functools
import itertools
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, cast

import msgspec
import psycopg
import redis
from psycopg.rows import dict_row

from gateway.metering.event import FIELD, UsageEvent
from gateway.metering.event import decode as decode_event
from gateway.metering.stream import STREAMS
from tests.data_plane import wire
from tests.data_plane.wire import Answer, Headers
from tests.ports import free_port
from tests.upstream import Upstream

PROJECT = Path(__file__).resolve().parents[2]
PROVIDER_KEY = "sk-provider-0123456789abcdef"
VERSION = ("anthropic-version", "2023-06-01")
JSON = ("content-type", "application/json")
HELLO = [{"role": "user", "content": "Hello"}]

# Models of the test catalog, served by the scripted provider as `upstream-model` where nothing else is said.
SCRIPTED = "claude-scripted"
HASTY = "claude-hasty"  # its provider has short timeouts
DRAINED = "claude-drained"  # its provider is read to the end when the client leaves
REFUSED = "claude-refused"  # nothing listens there
SPARE = "claude-spare"  # the provider that nobody listens at, and behind it the scripted one
SILENT = "claude-silent"  # connections open, nothing ever comes
TRANSLATED = "gpt-scripted"  # the scripted provider speaks the OpenAI dialect there
HASTY_TRANSLATED = "gpt-hasty"  # the same with short timeouts
THINKING = "claude-thinking"  # the scripted provider knows it as `claude-opus-4-6`
CROSSING = "gpt-crossing"  # the scripted provider in the OpenAI dialect, and behind it in Anthropic's
CROSSING_BACK = "claude-crossing"  # the other way round
ALIASES = ["claude-scripted-latest", "vendor/claude-scripted"]
SIMULATED = [
    *("claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5"),
    *(
        "claude-fable-5-2",
        "claude-fable-5",
        "claude-opus-4-8",
        "claude-sonnet-5",
        "claude-haiku-4-5",
        "claude-sonnet-4-5",
    ),
]
FIRST_BYTE, IDLE = 0.7, 1.0  # seconds: the timeouts of HASTY
PING_SECONDS = 0.4


class BackOffice:
    """The operator's process."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.data_plane.back_office"],
            cwd=PROJECT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log.open("wb"),
            text=True,
        )
        self._log = log

    def wish(self, do: str, **what: Any) -> dict[str, Any]:
        wishes, answers = cast(IO[str], self._process.stdin), cast(IO[str], self._process.stdout)
        wishes.write(json.dumps({"do": do, **what}) + "\n")
        wishes.flush()
        answer = answers.readline()
        assert answer, f"the back office failed:\n{self._log.read_text()[-3000:]}"
        return cast(dict[str, Any], json.loads(answer))

    def close(self) -> None:
        cast(IO[str], self._process.stdin).close()
        self._process.wait(5)


class Gateway:
    """One web process, `python -m gateway.server` (or `module`), on a free port."""

    def __init__(self, environment: dict[str, str], log: Path, module: str = "gateway.server") -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.log = log
        self._process = subprocess.Popen(
            [sys.executable, "-m", module],
            cwd=PROJECT,
            env=environment | {"HOST": "127.0.0.1", "PORT": str(self.port)},
            stdin=subprocess.DEVNULL,
            stdout=log.open("ab"),
            stderr=subprocess.STDOUT,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                if asyncio.run(wire.ask(self.port, wire.request("GET", "/readyz", []))).status == 200:
                    return
            except (OSError, asyncio.IncompleteReadError):
                pass
            time.sleep(0.05)
        raise RuntimeError(f"the gateway is not ready:\n{self.log.read_text()[-4000:]}")

    def terminate(self) -> None:
        """Ask it to end, without waiting."""
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()

    def wait(self, within: float) -> int:
        """Its exit code, once it has ended."""
        return self._process.wait(within)

    def close(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(8)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class House:
    """What tests hold: the gateway's port, a key without limits, the provider, the operator, the usage."""

    def __init__(
        self,
        gateway: Gateway,
        upstream: Upstream,
        office: BackOffice,
        valkey: redis.Redis,
        environment: dict[str, str],
    ) -> None:
        self.gateway = gateway
        self.upstream = upstream
        self.office = office
        self.valkey = valkey
        self.environment = environment
        self.key = ""
        self._events: list[UsageEvent] = []
        self._known: set[UsageEvent] = set()
        self._seen: dict[str, str] = {}
        self._numbers = itertools.count(1)

    @property
    def port(self) -> int:
        return self.gateway.port

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @functools.cached_property
    def database(self) -> psycopg.Connection[dict[str, Any]]:
        """For who looks behind the API; each statement commits by itself. One for all: PostgreSQL makes a process for
        each."""
        url = self.environment["DATABASE_URL"]
        return psycopg.connect(url, autocommit=True, row_factory=dict_row, prepare_threshold=None)

    def close(self) -> None:
        if "database" in self.__dict__:
            self.database.close()

    def furnish(self) -> None:
        """The catalog, and Acme with a key that has no limits."""
        address, closed = self.upstream.base_url, f"http://127.0.0.1:{free_port()}"
        hasty = {"connect": 0.5, "first_byte": FIRST_BYTE, "idle": IDLE}
        self._provider("scripted", address)
        self._provider("hasty", address, timeouts=hasty)
        self._provider("drained", address, on_disconnect="drain", timeouts=hasty)
        self._provider("refused", closed, timeouts=hasty)
        self._provider("silent", f"http://127.0.0.1:{self._silent_port()}", timeouts=hasty)
        self._model(SCRIPTED, "scripted", ALIASES)
        for name in (HASTY, DRAINED, REFUSED, SILENT):
            self._model(name, name.removeprefix("claude-"), [])
        self._model(SPARE, "refused", [], behind="scripted")
        self._provider("translated", f"{address}/v1", dialect="openai")
        self._provider("translated-hasty", f"{address}/v1", dialect="openai", timeouts=hasty)
        self._model(TRANSLATED, "translated", ["claude-gpt-scripted"])
        self._model(HASTY_TRANSLATED, "translated-hasty", [])
        self._model(THINKING, "scripted", [], upstream="claude-opus-4-6")
        self._model(CROSSING, "translated", [], behind="scripted", upstream="crossing-model")
        self._model(CROSSING_BACK, "scripted", [], behind="translated", upstream="crossing-model")
        self.office.wish("organization", name="Acme", tier="enterprise")
        self.key = self.office.wish("api_key", organization="Acme")["secret"]

    def _silent_port(self) -> int:
        """A socket that listens and is never read: connections open, nothing comes."""
        self._silent = socket.create_server(("127.0.0.1", 0), backlog=512)
        return int(self._silent.getsockname()[1])

    def _provider(self, name: str, base_url: str, **rest: Any) -> None:
        self.office.wish("provider", name=name, base_url=base_url, api_key=PROVIDER_KEY, **rest)

    def _model(
        self,
        name: str,
        provider: str,
        aliases: list[str],
        behind: str = "",
        upstream: str = "upstream-model",
    ) -> None:
        providers = [provider, behind] if behind else [provider]
        routes = [
            {"provider": one, "model": upstream, "priority": priority}
            for priority, one in enumerate(providers, 1)
        ]
        self.office.wish(
            "model",
            name=name,
            routes=routes,
            aliases=aliases,
            display_name=f"The {provider} one",
            max_input_tokens=200_000,
            max_output_tokens=64_000,
        )

    def stranger(self) -> str:
        """An address of this machine that nobody has come from yet."""
        number = next(self._numbers)
        return f"127.9.{number // 200}.{number % 200 + 1}"

    def tenant(self, tier: str = "enterprise", limits: dict[str, int] | None = None) -> Tenant:
        """A new organization with a key of its own."""
        name = f"Tenant {next(self._numbers)}"
        row = self.office.wish("organization", name=name, tier=tier, limits=limits)
        key = self.office.wish("api_key", organization=name)
        return Tenant(name, row["id"], row["default_workspace"], key["id"], key["secret"])

    def settle_in(self) -> None:
        """Wait for as long as a change made by the operator may take to reach every process."""
        time.sleep(1.0)

    # --- Asking ---

    def post(self, body: bytes | dict[str, Any], *, source: str = "127.0.0.1", **how: Any) -> Answer:
        """POST to /v1/messages (or `path`) with the usual headers; dictionaries become JSON."""
        return self.ask(self.message(body, **how), source=source)

    def message(
        self,
        body: bytes | dict[str, Any],
        *,
        path: str = "/v1/messages",
        headers: Headers = (),
        key: str | None = None,
        usual: Headers = (VERSION, JSON),
    ) -> bytes:
        """The bytes of such a request."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        credential = [("x-api-key", key or self.key)] if key != "" else []
        return wire.request("POST", path, [*usual, *credential, *headers], raw)

    def get(
        self, path: str, *, method: str = "GET", headers: Headers = (VERSION,), key: str | None = None
    ) -> Answer:
        credential = [("x-api-key", key or self.key)] if key != "" else []
        return self.ask(wire.request(method, path, [*credential, *headers]))

    def ask(self, raw: bytes, within: float = 15, source: str = "127.0.0.1") -> Answer:
        return asyncio.run(wire.ask(self.port, raw, within, source=source))

    def ask_all(self, raws: Sequence[bytes], at_once: int = 32) -> list[Answer]:
        return asyncio.run(wire.ask_all(self.port, raws, at_once=at_once))

    # --- Usage ---

    def usage(self, request_id: str | None, within: float = 3) -> UsageEvent:
        """The one event that was settled for a request."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            if found := self.events(request_id):
                assert len(found) == 1, f"{request_id} was settled {len(found)} times"
                return found[0]
            time.sleep(0.02)
        raise AssertionError(f"{request_id} was not settled within {within} s")

    def events(self, request_id: str | None = None) -> list[UsageEvent]:
        """All settled events, or those of one request; each once, as the ledger takes them."""
        for stream in STREAMS:
            found: Any = self.valkey.xrange(stream, min=self._seen.get(stream, "-"))
            for entry, fields in cast(list[tuple[bytes, dict[bytes, bytes]]], found):
                self._seen[stream] = "(" + entry.decode()
                event = msgspec.structs.replace(decode_event(fields[FIELD.encode()]), journal="")
                # Whoever adopts a dead process's journal sends its events again.
                if event not in self._known:
                    self._known.add(event)
                    self._events.append(event)
        return [event for event in self._events if request_id in (None, event.request_id)]


class Tenant(msgspec.Struct):
    """An organization with one key."""

    name: str
    id: str
    workspace: str
    key_id: str
    key: str


def body(model: str = SCRIPTED, script: str = "", **fields: Any) -> dict[str, Any]:
    """A usual request; `script` names what the provider is to do."""
    said = [{"role": "user", "content": f"Hello {script}"}] if script else HELLO
    return {"model": model, "max_tokens": 100, "messages": said, **fields}


def environment_of(database_url: str, redis_url: str, data: Path) -> dict[str, str]:
    """The environment of a gateway with these stores, otherwise that of the test run."""
    return os.environ | {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "DATA_DIR": str(data),
        "GATEWAY_SIMULATOR": "true",
        "GATEWAY_SIMULATOR_DELAY_MS": "1",
        "GATEWAY_PING_SECONDS": str(PING_SECONDS),
        "GATEWAY_STREAM_CHECK_SHARE": "1",
        "GATEWAY_DRAIN_SECONDS": "2",
        "PYTHONUNBUFFERED": "1",
    }
