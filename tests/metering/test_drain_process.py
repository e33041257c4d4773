"""The real `manage.py drain`: killed, doubled, and left without its stores."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from gateway.configuration import PROJECT_DIR
from gateway.metering import stream
from gateway.metering.event import UsageEvent
from gateway.supervisor.postgres import Postgres
from gateway.supervisor.program import Program
from gateway.supervisor.valkey import Valkey
from tests import migrated
from tests.metering.ledger import STREAM, Ledger, own_streams, until, usage_event
from tests.stores import running


@pytest.fixture(autouse=True)
def dead_drains_are_noticed_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """For the drains that finish a test in this process; the real ones keep their three seconds."""
    monkeypatch.setattr(stream, "CLAIM_AFTER_MS", 200)


def test_usage_is_in_the_rollups_within_a_second(ledger: Ledger, tmp_path: Path) -> None:
    with drain_process(ledger, tmp_path):
        until(lambda: drains(ledger) == 1)
        sent = usage_event()

        ledger.send([sent])
        began = time.monotonic()
        until(lambda: ledger.connection.execute("SELECT sum(requests) FROM usage_day").fetchone() == (1,))

        assert time.monotonic() - began < 1


def test_sigterm_ends_a_drain_within_two_seconds_and_it_leaves_its_group(
    ledger: Ledger, tmp_path: Path
) -> None:
    with drain_process(ledger, tmp_path) as drain:
        until(lambda: drains(ledger) == 1)

        drain.send_signal(signal.SIGTERM)

        assert drain.wait(2) == 0
        assert drains(ledger) == 0


def test_sigterm_ends_a_drain_that_postgres_keeps_waiting(ledger: Ledger, tmp_path: Path) -> None:
    sent = usage_event()
    with drain_process(ledger, tmp_path) as drain:
        until(lambda: drains(ledger) == 1)
        with ledger.connection.transaction():
            ledger.connection.execute("LOCK TABLE usage_minute IN EXCLUSIVE MODE")
            ledger.send([sent])
            until(lambda: ledger.valkey.xpending(STREAM, stream.GROUP)["pending"] == 1)

            drain.send_signal(signal.SIGTERM)
            drain.wait(2)

    finish(ledger)
    assert ledger.attempts() == {sent.attempt_id}
    assert ledger.drift() == []


def test_two_drains_at_once_count_everything_once(ledger: Ledger, tmp_path: Path) -> None:
    price = ledger.price()
    events = [usage_event(price_version=price, api_key_id=f"k{n % 7}") for n in range(4000)]
    twice = events + events
    random.Random(1).shuffle(twice)

    with drain_process(ledger, tmp_path), drain_process(ledger, tmp_path):
        until(lambda: drains(ledger) == 2)
        for start in range(0, len(twice), 100):
            ledger.send(twice[start : start + 100])
        until(lambda: ledger.waiting() == 0)
        shares = [member["inactive"] for member in ledger.valkey.xinfo_consumers(STREAM, stream.GROUP)]

    assert len([idle for idle in shares if idle >= 0]) == 2, "one drain did all the work"
    assert ledger.attempts() == {one.attempt_id for one in events}
    assert ledger.count() == len(events)
    assert ledger.drift() == []


@pytest.mark.slow
def test_drains_killed_at_random_lose_and_double_nothing(ledger: Ledger, tmp_path: Path) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    chance = random.Random(seed)
    price = ledger.price()
    sent: list[UsageEvent] = []
    for _ in range(4):
        with drain_process(ledger, tmp_path) as drain:
            sent += flow(ledger, 1, price)
            recorded = ledger.count()
            until(lambda before=recorded: ledger.count() > before)
            killed_at = time.monotonic() + chance.uniform(0, 0.3)
            while time.monotonic() < killed_at:
                sent += flow(ledger, chance.randrange(1, 4), price)
            drain.kill()

    finish(ledger)

    assert ledger.attempts() == {one.attempt_id for one in sent}
    assert ledger.count() == len(sent)
    assert ledger.drift() == []
    assert ledger.valkey.xlen(stream.rejected_stream(STREAM)) == 0


@pytest.mark.slow
def test_postgres_killed_and_started_again_costs_no_event(
    postgres_server: Postgres, valkey_server: Valkey, tmp_path: Path
) -> None:
    own, program = own_postgres(postgres_server)
    sent: list[UsageEvent] = []
    with contextlib.ExitStack() as stack:
        with running(program) as process, psycopg.connect(own.url, autocommit=True) as connection:
            ledger = Ledger(connection, own.url, *stack.enter_context(own_streams(valkey_server)))
            stack.enter_context(drain_process(ledger, tmp_path))
            until(lambda: drains(ledger) == 1)
            sent += flow(ledger, 30)
            process.kill()
            sent += flow(ledger, 30)
        sent += flow(ledger, 100)
        assert ledger.waiting() > 100
        with running(program):
            until(lambda: ledger.waiting() == 0)
            with psycopg.connect(own.url, autocommit=True) as connection:
                ledger = dataclasses.replace(ledger, connection=connection)
                assert ledger.attempts() == {one.attempt_id for one in sent}
                assert ledger.count() == len(sent)
                assert ledger.drift() == []


@pytest.mark.slow
def test_a_drain_goes_on_when_valkey_was_away_and_came_back_empty(
    ledger: Ledger, valkey_server: Valkey, tmp_path: Path
) -> None:
    folder = valkey_server.data.parent / "metering-valkey"
    folder.mkdir()
    own = dataclasses.replace(valkey_server, data=folder / "data", sockets=folder)
    program = own.program(stack=folder, log=folder / "valkey.log", environment=os.environ)
    alone = dataclasses.replace(ledger, redis_url=own.url, valkey=redis.Redis.from_url(own.url))
    sent: list[UsageEvent] = []
    with drain_process(alone, tmp_path) as drain:
        for rounds in (1, 2):
            with running(program):
                sent += flow(alone, 10)
                until(lambda total=rounds * 50: ledger.count() == total)
            time.sleep(0.5)
            assert drain.poll() is None

    assert ledger.attempts() == {one.attempt_id for one in sent}


@contextlib.contextmanager
def drain_process(ledger: Ledger, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    stores = {"DATABASE_URL": ledger.database_url, "REDIS_URL": ledger.redis_url}
    command = [sys.executable, str(PROJECT_DIR / "manage.py"), "drain"]
    with (folder / "drain.log").open("ab") as log:
        process = subprocess.Popen(command, env={**os.environ, **stores}, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def own_postgres(shared: Postgres) -> tuple[Postgres, Program]:
    """One that may be killed: what it says is committed stays, as long as the machine lives."""
    folder = shared.data.parent / "metering-postgres"
    folder.mkdir(mode=0o711)
    settings = {**shared.settings, "synchronous_commit": "on"}
    own = dataclasses.replace(shared, data=folder / "data", sockets=folder / "pg", settings=settings)
    own.sockets.mkdir(mode=0o700)
    if own.user is not None:
        shutil.chown(own.sockets, own.user.uid, own.user.gid)
    migrated.initialize(own, shared)
    return own, own.program(stack=folder, log=folder / "postgres.log", environment=os.environ)


def flow(ledger: Ledger, bursts: int, price: int | None = None) -> list[UsageEvent]:
    """Some events every ten milliseconds."""
    sent: list[UsageEvent] = []
    for _ in range(bursts):
        events = [usage_event(price_version=price) for _ in range(5)]
        ledger.send(events)
        sent += events
        time.sleep(0.01)
    return sent


def finish(ledger: Ledger) -> None:
    """Let what dead drains held become claimable, and drain all."""
    time.sleep(0.3)
    ledger.drain_all()


def drains(ledger: Ledger) -> int:
    try:
        return len(ledger.valkey.xinfo_consumers(STREAM, stream.GROUP))
    except redis.RedisError:
        return 0
