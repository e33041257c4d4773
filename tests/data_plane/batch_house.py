"""Message batches that run: a worker of the gateway under test, and what becomes of the batches it works on."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import psutil

from tests.data_plane.house import PROJECT, SCRIPTED, House, Tenant, body
from tests.upstream import Received

BATCHES = "/v1/messages/batches"
OTHERS = 10
MARK = re.compile(rb"item ([a-z0-9-]+)")  # in the text of a message, so that the provider knows it


@dataclass(frozen=True)
class Made:
    """A batch, and whose it is."""

    house: House
    tenant: Tenant
    id: str

    @property
    def progress(self) -> dict[str, int]:
        """How many items have which result, while it runs too."""
        names = "total, succeeded, errored, canceled, expired"
        return self._row(f"SELECT {names} FROM message_batch WHERE id = %s")

    @property
    def done(self) -> int:
        return sum(number for name, number in self.progress.items() if name != "total")

    @property
    def status(self) -> str:
        return str(self._row("SELECT status FROM message_batch WHERE id = %s")["status"])

    def wait(self, until: Callable[[Made], bool], within: float) -> float:
        """Seconds until that was so."""
        began = time.monotonic()
        while not until(self):
            assert time.monotonic() < began + within, f"after {within} s {self.status}: {self.progress}"
            time.sleep(0.02)
        return time.monotonic() - began

    def wait_until_ended(self, within: float) -> float:
        return self.wait(lambda batch: batch.status == "ended", within)

    def cancel(self) -> None:
        assert self.house.post(b"", path=f"{BATCHES}/{self.id}/cancel", key=self.tenant.key).status == 200

    def expire(self) -> None:
        """Its day is over now."""
        self.house.database.execute("UPDATE message_batch SET expires_at = now() WHERE id = %s", [self.id])

    def results(self) -> list[dict[str, Any]]:
        answer = self.house.get(f"{BATCHES}/{self.id}/results", key=self.tenant.key)
        assert answer.status == 200, answer.body
        return [json.loads(line) for line in answer.body.splitlines()]

    def types(self) -> Counter[str]:
        return Counter(result["result"]["type"] for result in self.results())

    def _row(self, query: str) -> dict[str, Any]:
        return self.house.database.execute(query.encode(), [self.id]).fetchall()[0]


def make(house: House, tenant: Tenant, params: Sequence[dict[str, Any]]) -> Made:
    """A batch of these; their custom ids are `item-0`, `item-1`, ..."""
    items = [{"custom_id": f"item-{number}", "params": one} for number, one in enumerate(params)]
    answer = house.post({"requests": items}, path=BATCHES, key=tenant.key)
    assert answer.status == 200, answer.body
    return Made(house, tenant, answer.json["id"])


def marks(received: Sequence[Received]) -> Counter[str]:
    """How often each marked item reached the provider."""
    found = (MARK.search(one.body) for one in received)
    return Counter(match[1].decode() for match in found if match is not None)


def told(script: str, name: str, number: int, model: str = SCRIPTED) -> list[dict[str, Any]]:
    return [body(model, f"{script} item {name}-{n}") for n in range(number)]


def others(house: House, each: int, model: str = SCRIPTED) -> list[Made]:
    """Ten organizations with a batch of so many items that anyone would serve."""
    return [make(house, house.tenant(), [body(model)] * each) for _ in range(OTHERS)]


def all_ended(batches: Sequence[Made], within: float) -> float:
    """Seconds until all items of all have succeeded."""
    began = time.monotonic()
    for batch in batches:
        batch.wait_until_ended(max(0.1, began + within - time.monotonic()))
        assert batch.progress["succeeded"] == batch.progress["total"]
    return time.monotonic() - began


class Worker:
    """A process that a test may kill; at the end of its `with` it is killed anyhow."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    @property
    def lives(self) -> bool:
        return psutil.pid_exists(self.pid)

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        while self.lives:
            time.sleep(0.005)


class Nursery:
    """Where workers on the house's stores come from, beside the house's own gateway."""

    def __init__(self, house: House, folder: Path) -> None:
        self._log = folder / "workers.log"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.data_plane.batch_worker"],
            cwd=PROJECT,
            env=house.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log.open("ab"),
            text=True,
        )

    @contextlib.contextmanager
    def worker(self, **settings: object) -> Iterator[Worker]:
        """A worker with these settings."""
        wanted = {
            "log": str(self._log),
            "settings": {name: str(value) for name, value in settings.items()},
        }
        wishes, answers = cast(IO[str], self._process.stdin), cast(IO[str], self._process.stdout)
        wishes.write(json.dumps(wanted) + "\n")
        wishes.flush()
        answer = answers.readline()
        assert answer, f"no worker was made:\n{self._log.read_text()[-3000:]}"
        worker = Worker(int(answer))
        try:
            yield worker
        finally:
            worker.kill()

    def close(self) -> None:
        cast(IO[str], self._process.stdin).close()
        self._process.wait(5)
