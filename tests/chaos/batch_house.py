"""A whole stack (`manage.py up`) with a provider that counts, for batches whose workers and stores are killed."""

from __future__ import annotations

import contextlib
import datetime
import json
import random
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
import redis

from gateway.supervisor.env_file import read_env
from tests.stack import Stack
from tests.upstream import Pause, Received, Script, Upstream, message, reply

MODEL = "claude-counted"
ANSWER_SECONDS = (0.05, 0.3)
OUTPUT_TOKENS = 7

_CUSTOM_ID = re.compile(rb"item ([a-z0-9-]+)")

FILE = """
providers: {counted: {dialect: anthropic, base_url: "%s", api_key: sk-counted-0123456789}}
models: {%s: {routes: [{provider: counted, model: upstream-model}], price: {input: 1, output: 2}}}
"""


@dataclass
class BatchHouse:
    """`deaths` are the times at which a worker's process was killed."""

    stack: Stack
    upstream: Upstream
    script: str
    chance: random.Random
    deaths: list[float] = field(default_factory=list)
    began: dict[str, datetime.datetime] = field(default_factory=dict)

    # --- Faults ---

    def kill_runner(self) -> None:
        """A child of the worker, whichever has the batches or not."""
        if (worker := self.stack.children().get("worker")) is not None:
            for child in self.chance.sample(worker.children(), len(worker.children()))[:1]:
                self._kill_worker_process(child)

    def kill_worker(self) -> None:
        """The worker's main process; what its children were doing ends with it."""
        if (worker := self.stack.children().get("worker")) is not None:
            self._kill_worker_process(worker)

    def kill_web(self) -> None:
        self._kill("web")

    def kill_valkey(self) -> None:
        self._kill("valkey")

    def flush_valkey(self) -> None:
        with contextlib.suppress(redis.RedisError):
            self.valkey().flushall()

    def kill_postgres(self) -> None:
        """All of it at once."""
        for process in self.stack.processes():
            with contextlib.suppress(psutil.Error):
                if process.name() == "postgres":
                    process.kill()

    def _kill_worker_process(self, process: psutil.Process) -> None:
        self.deaths.append(time.monotonic())
        with contextlib.suppress(psutil.Error):
            process.kill()

    def _kill(self, name: str) -> None:
        if (process := self.stack.children().get(name)) is not None:
            with contextlib.suppress(psutil.Error):
                process.kill()

    # --- What a client does ---

    def create(self, name: str, count: int) -> str:
        """A batch, made once however often it has to be asked for; its id."""
        items = [
            {
                "custom_id": f"{name}-{number}",
                "params": {
                    "model": MODEL,
                    "max_tokens": 20,
                    "messages": [{"role": "user", "content": f"{self.script} item {name}-{number}"}],
                },
            }
            for number in range(count)
        ]
        self.began[name] = datetime.datetime.now(datetime.UTC)
        answer = self.ask("POST", "", json={"requests": items}, headers={"idempotency-key": name})
        return str(answer.json()["id"])

    def wait_until_ended(self, batch_id: str, within: float) -> dict[str, Any]:
        deadline = time.monotonic() + within
        while True:
            batch: dict[str, Any] = self.ask("GET", f"/{batch_id}").json()
            if batch["processing_status"] == "ended":
                return batch
            assert time.monotonic() < deadline, f"{batch_id} has not ended: {self.states(batch_id)}"
            time.sleep(0.2)

    def results(self, batch_id: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.ask("GET", f"/{batch_id}/results").content.splitlines()]

    def ask(
        self, method: str, path: str, *, headers: dict[str, str] | None = None, **rest: Any
    ) -> httpx.Response:
        """As an SDK does that tries again for as long as it takes."""
        url = f"{self.stack.base_url}/v1/messages/batches{path}"
        usual = {"x-api-key": self.stack.api_key, "anthropic-version": "2023-06-01"}
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(httpx.TransportError):
                answer = httpx.request(method, url, headers=usual | (headers or {}), timeout=30, **rest)
                if answer.status_code < 500:
                    answer.raise_for_status()
                    return answer
            assert time.monotonic() < deadline, f"{method} {path} is not answered"
            time.sleep(0.3)

    # --- What is behind it ---

    def sends(self, name: str) -> dict[str, list[Received]]:
        """By the custom ids of a batch's items, how each reached the provider."""
        found: defaultdict[str, list[Received]] = defaultdict(list)
        for received in self.upstream.received(self.script):
            match = _CUSTOM_ID.search(received.body)
            if match is not None and match[1].decode().startswith(f"{name}-"):
                found[match[1].decode()].append(received)
        return found

    def states(self, batch_id: str) -> dict[int, int]:
        rows = self.rows("SELECT state FROM message_batch_item WHERE batch_id = %s", batch_id)
        return dict(Counter(state for (state,) in rows))

    def rows(self, query: str, *given: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self._stores["DATABASE_URL"]) as connection:
            return connection.execute(query.encode(), given).fetchall()

    def valkey(self) -> redis.Redis:
        return redis.Redis.from_url(self._stores["REDIS_URL"])

    @property
    def _stores(self) -> dict[str, str]:
        return read_env(self.stack.data_dir / "stack.env")


@contextlib.contextmanager
def open_batch_house(folder: Path, chance: random.Random) -> Iterator[BatchHouse]:
    def answer(received: Received) -> Script:
        waits = chance.uniform(*ANSWER_SECONDS)
        said = message("Counted.", usage={"input_tokens": 11, "output_tokens": OUTPUT_TOKENS})
        return [Pause(waits), *reply(200, said)]

    with Upstream() as upstream:
        stack = Stack(folder / ".data", extra={"GATEWAY_DRAIN_SECONDS": "1"})
        stack.start()
        try:
            file = folder / "gateway.yaml"
            file.write_text(FILE % (upstream.base_url, MODEL))
            stack.manage("apply", str(file))
            yield BatchHouse(stack, upstream, upstream.answered_by(answer), chance)
        finally:
            stack.stop()


FAULTS: tuple[Callable[[BatchHouse], None], ...] = (
    BatchHouse.kill_runner,
    BatchHouse.kill_worker,
    BatchHouse.kill_web,
    BatchHouse.kill_valkey,
    BatchHouse.flush_valkey,
    BatchHouse.kill_postgres,
)
