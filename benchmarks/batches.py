"""`python -m benchmarks.batches`: what a batch of ten thousand messages costs, and what it leaves for others.

A web process takes it in, one worker runs it with the simulator as its provider, while twenty messages a second are
asked for. Says by the exit status whether every item was answered once and is in the ledger; a missed target is none
of its business.
"""

from __future__ import annotations

import argparse
import datetime
import http.client
import itertools
import json
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import psutil
import psycopg
from rich.console import Console
from rich.table import Table

from benchmarks.figures import Figure
from benchmarks.house import Post, open_post
from benchmarks.meter import seconds_of, with_children

T = TypeVar("T")

ITEMS = 10_000
WARM_UP = 100
MODEL = "claude-sonnet-4-5"
WORDS = "What is said here is of no importance. " * 45  # items of 2 KB
LIVE_PER_SECOND, LIVE_SECONDS = 20, 5.0
PIECE = 256 * 1024
BATCHES = "/v1/messages/batches"
LATEST = Path(__file__).parent / "results" / "batches-latest.json"


class Run(msgspec.Struct, frozen=True):
    """Seconds of clock and of processors, memory in MB, live times in milliseconds."""

    items: int
    accepted: float
    run: float
    downloaded: float
    worker: float
    everything: float
    web_growth: float
    worker_memory: float
    statements: int
    answered: int
    recorded: int
    live_before: list[float]
    live_during: list[float]


def main() -> int:
    options = _arguments()
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    with open_post() as post:
        _batch(post, WARM_UP)  # everything is loaded, and every connection open
        run = _run(post, options.items)
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    options.output.write_bytes(
        msgspec.json.format(msgspec.json.encode({"taken_at": now, **msgspec.structs.asdict(run)}))
    )
    console.print(_told(run))
    return 0 if run.answered == run.recorded == run.items else 1


def figures(run: Run) -> list[Figure]:
    share = 10_000 / run.items  # targets are for ten thousand
    each = 1000 / run.items
    return [
        Figure("accepting the batch", run.accepted, "s", 3 / share),
        Figure("web process: growth while accepting", run.web_growth, "MB", 100),
        Figure("running it", run.run, "s", 60 / share),
        Figure("downloading its results", run.downloaded, "s"),
        Figure("CPU an item: worker", run.worker * each, "ms"),
        Figure("CPU an item: everything", run.everything * each, "ms"),
        Figure("statements that change rows, for 100 items", 100 * run.statements / run.items, "", 2),
        Figure("worker: memory of its largest process", run.worker_memory, "MB"),
        Figure("live messages without a batch: p50", statistics.median(run.live_before), "ms"),
        Figure("live messages during the batch: p50", statistics.median(run.live_during), "ms"),
        Figure("live messages without a batch: p95", _p95(run.live_before), "ms"),
        Figure("live messages during the batch: p95", _p95(run.live_during), "ms"),
    ]


def _run(post: Post, items: int) -> Run:
    with _Live(post) as live:
        time.sleep(LIVE_SECONDS)
    before = live.times
    said, recorded = _statements(post), _recorded(post, WARM_UP + len(before))
    memory, worker, everything = _highest(post.web), _seconds(post.worker), _seconds()
    began = time.perf_counter()
    batch_id = _create(post, items)
    accepted = time.perf_counter() - began
    with _Live(post) as live:
        _wait_until_ended(post, batch_id)
        ran = time.perf_counter() - began - accepted
    worker, everything = _seconds(post.worker) - worker, _seconds() - everything
    answered, downloaded = _timed(lambda: _answered(post, batch_id))
    expected = recorded + items + len(live.times)
    return Run(
        items=items,
        accepted=accepted,
        run=ran,
        downloaded=downloaded,
        worker=worker,
        everything=everything,
        web_growth=_highest(post.web) - memory,
        worker_memory=max(_highest(one.pid) for one in psutil.Process(post.worker).children()),
        statements=_statements(post) - said,
        answered=answered,
        recorded=_recorded(post, expected) - recorded - len(live.times),
        live_before=before,
        live_during=live.times,
    )


def _batch(post: Post, items: int) -> None:
    _wait_until_ended(post, _create(post, items))


def _create(post: Post, items: int) -> str:
    made: str = _asked(post, "POST", BATCHES, _body(items))["id"]
    return made


def _body(items: int) -> Iterator[bytes]:
    """As it comes from a client that makes it while it sends it."""
    said = {"model": MODEL, "max_tokens": 64, "messages": [{"role": "user", "content": WORDS}]}
    pieces = bytearray(b'{"requests": [')
    for number in range(items):
        pieces += b", " if number else b""
        pieces += json.dumps({"custom_id": f"item-{number}", "params": said}).encode()
        if len(pieces) >= PIECE:
            yield bytes(pieces)
            pieces.clear()
    yield bytes(pieces + b"]}")


def _wait_until_ended(post: Post, batch_id: str) -> None:
    while _asked(post, "GET", f"{BATCHES}/{batch_id}")["processing_status"] != "ended":
        time.sleep(0.1)


def _answered(post: Post, batch_id: str) -> int:
    """Items that have succeeded, each counted once."""
    lines = _raw(post, "GET", f"{BATCHES}/{batch_id}/results").splitlines()
    results = [json.loads(line) for line in lines]
    return len({one["custom_id"] for one in results if one["result"]["type"] == "succeeded"})


def _asked(post: Post, method: str, path: str, body: Iterator[bytes] | bytes | None = None) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(_raw(post, method, path, body))
    return answer


def _raw(post: Post, method: str, path: str, body: Iterator[bytes] | bytes | None = None) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", post.port, timeout=120)
    headers = {"x-api-key": post.key, "anthropic-version": "2023-06-01", "content-type": "application/json"}
    try:
        connection.request(method, path, body, headers, encode_chunked=body is not None)
        answer = connection.getresponse()
        read = answer.read()
    finally:
        connection.close()
    if answer.status != 200:
        raise RuntimeError(f"{method} {path}: {answer.status} {read[:500]!r}")
    return read


class _Live:
    """Messages at a steady pace, whatever the ones before take; `times` are their milliseconds."""

    def __init__(self, post: Post) -> None:
        self.times: list[float] = []
        self._post = post
        self._over = threading.Event()
        self._asking = threading.Thread(target=self._ask_all)

    def __enter__(self) -> _Live:
        self._asking.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._asking.join()

    def _ask_all(self) -> None:
        began, threads = time.perf_counter(), []
        for number in itertools.count(1):
            thread = threading.Thread(target=self._ask)
            thread.start()
            threads.append(thread)
            if self._over.wait(max(0.0, began + number / LIVE_PER_SECOND - time.perf_counter())):
                break
        for thread in threads:
            thread.join()

    def _ask(self) -> None:
        said = {"model": MODEL, "max_tokens": 64, "messages": [{"role": "user", "content": WORDS}]}
        self.times.append(
            1000 * _timed(lambda: _raw(self._post, "POST", "/v1/messages", json.dumps(said).encode()))[1]
        )


def _timed(what: Callable[[], T]) -> tuple[T, float]:
    began = time.perf_counter()
    return what(), time.perf_counter() - began


def _statements(post: Post) -> int:
    """Those that changed rows of batches, so far."""
    said = post.postgres_log.read_text(errors="replace")
    return sum("message_batch" in one for one in said.split("LOG:  execute ")[1:])


def _recorded(post: Post, expected: int = 0) -> int:
    """Attempts in the ledger, once there are as many as expected; at most after 30 s."""
    deadline = time.monotonic() + 30
    with psycopg.connect(post.environment["DATABASE_URL"], autocommit=True) as connection:
        while True:
            row = connection.execute("SELECT count(*) FROM usage_event").fetchone()
            assert row is not None
            if row[0] >= expected or time.monotonic() > deadline:
                return int(row[0])
            time.sleep(0.2)


def _seconds(pid: int | None = None) -> float:
    """Of processors, by a process and its children; by this one and all that it started where none is given."""
    return sum(seconds_of(one) for one in with_children(psutil.Process(pid)))


def _highest(pid: int) -> float:
    """The most memory that it ever had, in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6


def _p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20)[-1]


def _told(run: Run) -> Table:
    table = Table(title=f"A batch of {run.items:,}")
    for name, justify in (("figure", "left"), ("value", "right"), ("target", "right"), ("", "left")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    for one in figures(run):
        target = "" if one.target is None else f"{one.target:g}"
        met = {None: "", True: "ok", False: "missed"}[one.met]
        table.add_row(one.name, f"{one.value:.3g} {one.unit}", target, met)
    return table


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.batches", description=__doc__)
    parser.add_argument("--items", type=int, default=ITEMS)
    parser.add_argument("--output", type=Path, default=LATEST)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
