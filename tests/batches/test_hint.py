"""Hints to workers: one that is there hears them, and one that is not, or no broker, costs nobody anything."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

import redis
from celery import Celery
from celery.contrib.testing.worker import start_worker
from structlog.testing import capture_logs

from gateway.batches import hint, tasks
from gateway.batches.hint import QUEUE, Hints
from gateway.supervisor.valkey import Valkey
from tests.data_plane.house import free_port


def broker(server: Valkey) -> str:
    """Its address as Celery takes it."""
    return server.url.replace("unix://", "redis+socket://", 1)


@contextlib.contextmanager
def hints(url: str) -> Iterator[Hints]:
    told = Hints(url)
    try:
        yield told
    finally:
        told.close()


def test_a_worker_runs_the_task(valkey: redis.Redis, valkey_server: Valkey) -> None:
    """Of another name than ours: every application of a process has the tasks that are shared in it."""
    app, ran = Celery("hinted", broker=broker(valkey_server)), threading.Event()
    app.task(name="tests.hinted", ignore_result=True)(ran.set)

    with start_worker(app, pool="solo", perform_ping_check=False), hints(broker(valkey_server)) as told:
        told.tell("tests.hinted")
        assert ran.wait(10)


def test_what_is_told_of_are_the_tasks_that_there_are() -> None:
    assert (tasks.run_batches.name, tasks.run_native_batches.name) == (hint.RUN, hint.RUN_NATIVE)


def test_what_is_told_at_once_is_one_hint(valkey: redis.Redis, valkey_server: Valkey) -> None:
    with hints(broker(valkey_server)) as told:
        for _ in range(1000):
            told.tell()
        _until(lambda: valkey.llen(QUEUE) > 0)
        time.sleep(0.2)
        assert 1 <= valkey.llen(QUEUE) < 100


def test_a_broker_that_comes_back_is_told_again(valkey_server: Valkey, valkey: redis.Redis) -> None:
    with hints(broker(valkey_server)) as told:
        told.tell()
        _until(lambda: valkey.llen(QUEUE) == 1)
        valkey.client_kill_filter(_type="normal", skipme=True)
        told.tell()
        time.sleep(0.3)
        told.tell()
        _until(lambda: valkey.llen(QUEUE) >= 2)


def test_without_a_broker_nobody_waits() -> None:
    with capture_logs() as logs, hints(f"redis://127.0.0.1:{free_port()}/0") as told:
        assert _seconds_of(told) < 0.05
        _until(lambda: bool(logs))

    assert (logs[0]["event"], logs[0]["log_level"]) == ("batch_hint_not_sent", "warning")


def test_a_broker_that_says_nothing_is_given_up_within_a_second() -> None:
    with (
        capture_logs() as logs,
        socket.create_server(("127.0.0.1", 0)) as silent,
        hints(f"redis://127.0.0.1:{silent.getsockname()[1]}/0") as told,
    ):
        assert _seconds_of(told) < 0.05
        _until(lambda: bool(logs), 1.5)

    assert logs[0]["event"] == "batch_hint_not_sent"


def _seconds_of(told: Hints) -> float:
    started = time.monotonic()
    told.tell()
    return time.monotonic() - started


def _until(true: Callable[[], bool], within: float = 3) -> None:
    deadline = time.monotonic() + within
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)
