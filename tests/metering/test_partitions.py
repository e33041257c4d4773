"""The ledger's daily partitions, made by drains and by Celery beat's task."""

from __future__ import annotations

import datetime
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from gateway.celery import app
from gateway.configuration import PROJECT_DIR
from gateway.metering import partitions, tasks
from gateway.metering.tasks import drop_partitions, make_partitions
from gateway.models import UsageDay
from tests.metering.ledger import Ledger, committed, start, until, usage_event

TODAY = datetime.datetime.now(datetime.UTC).date()
FAR = [TODAY - datetime.timedelta(days=n) for n in range(390, 394)]


@pytest.fixture
def no_far_partitions(ledger: Ledger) -> Iterator[None]:
    yield
    for day in FAR:
        ledger.connection.execute(f"DROP TABLE IF EXISTS usage_event_{day:%Y%m%d}".encode())
    ledger.connection.execute("DELETE FROM partition_horizon")


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


@pytest.mark.usefixtures("no_far_partitions")
def test_what_is_older_than_is_kept_is_dropped_and_its_sums_stay(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, kept = (datetime.datetime.combine(day, datetime.time(12), datetime.UTC) for day in (FAR[1], FAR[0]))
    ledger.record(usage_event(old), usage_event(kept))
    monkeypatch.setitem(tasks.DAYS_KEPT, "usage_event", 390)

    dropped = committed(drop_partitions)

    assert dropped == [name(FAR[1])]
    assert name(FAR[0]) in existing(ledger)
    assert ledger.count() == 1
    assert UsageDay.objects.count() == 2


@pytest.mark.usefixtures("no_far_partitions")
def test_kept_for_ever_means_that_nothing_is_dropped(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    with ledger.connection.cursor() as cursor:
        partitions.ensure(cursor, FAR)
    monkeypatch.setitem(tasks.DAYS_KEPT, "usage_event", 0)

    assert committed(drop_partitions) == []


@pytest.mark.usefixtures("no_far_partitions")
def test_an_event_that_comes_again_after_its_day_was_dropped_is_not_counted_again(ledger: Ledger) -> None:
    late = usage_event(datetime.datetime.combine(FAR[0], datetime.time(12), datetime.UTC))
    ledger.record(late)
    with ledger.connection.transaction(), ledger.connection.cursor() as cursor:
        partitions.drop(cursor, FAR[0])
    others = [usage_event() for _ in range(3)]

    ledger.send([others[0], late, *others[1:]])
    drain = ledger.drain_all()

    (rejected,) = ledger.rejected()
    assert f"usage_event of {FAR[0]} was dropped" in rejected[b"reason"].decode()
    assert (drain.recorded, drain.rejected) == (3, 1)
    assert sum(UsageDay.objects.values_list("requests", flat=True)) == 4


@pytest.mark.usefixtures("no_far_partitions")
def test_dropping_waits_for_a_reader_no_longer_than_a_second_and_comes_again(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ledger.connection.cursor() as cursor:
        partitions.ensure(cursor, FAR[:1])
    monkeypatch.setitem(tasks.DAYS_KEPT, "usage_event", 389)
    waited: list[float] = []

    with psycopg.connect(ledger.database_url) as reader:
        reader.execute("SELECT count(*) FROM usage_event")
        dropped = start(drop_partitions)
        until(lambda: _somebody_waits(ledger))
        began = time.monotonic()
        ledger.record(usage_event())
        waited.append(time.monotonic() - began)
        assert dropped() == []
        assert name(FAR[0]) in existing(ledger)

    assert waited[0] < 2
    assert ledger.count() == 1
    assert committed(drop_partitions) == [name(FAR[0])]


def test_another_table_by_day_is_made_ahead_and_dropped_as_the_ledger_is(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(tasks.DAYS_KEPT, "by_day", 7)
    days = [TODAY - datetime.timedelta(days=n) for n in (9, 8, 7)]
    ledger.connection.execute("CREATE TABLE by_day (day date NOT NULL, n int) PARTITION BY RANGE (day)")
    try:
        with ledger.connection.transaction(), ledger.connection.cursor() as cursor:
            partitions.ensure(cursor, days, "by_day")
        committed(make_partitions)

        dropped = committed(drop_partitions)

        ahead = partitions.days_ahead(TODAY)
        with ledger.connection.cursor() as cursor:
            assert partitions.existing(cursor, "by_day") == [days[2], *ahead]
        assert dropped == [f"by_day_{day:%Y%m%d}" for day in days[:2]]
    finally:
        ledger.connection.execute("DROP TABLE by_day")
        ledger.connection.execute("DELETE FROM partition_horizon")


def _somebody_waits(ledger: Ledger) -> bool:
    found = ledger.connection.execute(
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'usage_event'::regclass"
    ).fetchone()
    return found is not None and found[0] > 0


def name(day: datetime.date) -> str:
    return f"usage_event_{day:%Y%m%d}"


def existing(ledger: Ledger) -> set[str]:
    query = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'usage_event'::regclass"
    return {row[0] for row in ledger.connection.execute(query)}
