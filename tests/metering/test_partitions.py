"""The ledger's daily partitions, made by drains and by Celery beat's task."""

from __future__ import annotations

import datetime
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from gateway.celery import app
from gateway.configuration import PROJECT_DIR
from gateway.metering import partitions
from gateway.metering.tasks import make_partitions
from tests.metering.ledger import Ledger, until, usage_event

TODAY = datetime.datetime.now(datetime.UTC).date()
FAR = [TODAY - datetime.timedelta(days=n) for n in range(390, 394)]


@pytest.fixture
def no_far_partitions(ledger: Ledger) -> Iterator[None]:
    yield
    for day in FAR:
        ledger.connection.execute(f"DROP TABLE IF EXISTS usage_event_{day:%Y%m%d}".encode())


@pytest.mark.usefixtures("no_far_partitions")
def test_many_at_once_make_each_partition_once(ledger: Ledger) -> None:
    made: list[list[datetime.date]] = []
    barrier = threading.Barrier(6)

    def make() -> None:
        with psycopg.connect(ledger.database_url) as connection, connection.cursor() as cursor:
            barrier.wait()
            made.append(partitions.ensure(cursor, FAR))

    threads = [threading.Thread(target=make) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(made) == [[], [], [], [], [], sorted(FAR)]
    assert {name(day) for day in FAR} <= existing(ledger)


@pytest.mark.usefixtures("no_far_partitions")
def test_a_late_event_gets_the_partition_of_its_own_day(ledger: Ledger) -> None:
    noon = datetime.datetime.combine(FAR[0], datetime.time(12), datetime.UTC)
    ledger.send([usage_event(noon)])

    ledger.drain_all()

    row = ledger.connection.execute("SELECT tableoid::regclass::text, day FROM usage_event").fetchone()
    assert row == (name(FAR[0]), FAR[0])


def test_a_reader_of_the_ledger_does_not_hold_up_a_new_partition(ledger: Ledger) -> None:
    with psycopg.connect(ledger.database_url) as reader, psycopg.connect(ledger.database_url) as maker:
        reader.execute("SELECT count(*) FROM usage_event")
        maker.execute("SET lock_timeout = '1s'")

        with maker.cursor() as cursor:
            assert partitions.ensure(cursor, FAR[:1]) == FAR[:1]
        maker.rollback()


def test_a_drain_makes_those_of_the_days_ahead(ledger: Ledger) -> None:
    ledger.drain().step()

    days = [TODAY + datetime.timedelta(days=n) for n in range(partitions.DAYS_AHEAD + 1)]
    assert {name(day) for day in days} <= existing(ledger)


@pytest.mark.slow
def test_a_worker_does_what_beat_asks_of_it(ledger: Ledger, tmp_path: Path) -> None:
    last = TODAY + datetime.timedelta(days=partitions.DAYS_AHEAD)
    ledger.connection.execute(f"DROP TABLE IF EXISTS {name(last)}".encode())
    task = app.conf.beat_schedule["make-partitions"]["task"]
    stores = {"DATABASE_URL": ledger.database_url, "REDIS_URL": ledger.redis_url}
    command = [sys.executable, "-m", "celery", "-A", "gateway", "worker", "--pool", "solo", "-l", "WARNING"]
    with (tmp_path / "worker.log").open("wb") as log:
        worker = subprocess.Popen(
            command, cwd=PROJECT_DIR, env={**os.environ, **stores}, stdout=log, stderr=log
        )
    try:
        app.send_task(task)
        until(lambda: name(last) in existing(ledger))
    finally:
        worker.kill()
        worker.wait()


@pytest.mark.django_db
def test_the_task_makes_what_is_missing_and_then_has_nothing_to_do() -> None:
    days = [TODAY + datetime.timedelta(days=n) for n in range(partitions.DAYS_AHEAD + 1)]

    made = make_partitions()

    assert set(made) <= {day.isoformat() for day in days}
    assert make_partitions() == []


def name(day: datetime.date) -> str:
    return f"usage_event_{day:%Y%m%d}"


def existing(ledger: Ledger) -> set[str]:
    query = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'usage_event'::regclass"
    return {row[0] for row in ledger.connection.execute(query)}
