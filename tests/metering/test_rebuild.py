"""Sums are made anew from the ledger to identical numbers, also while drains and other rebuilds are at work."""

from __future__ import annotations

import datetime
import random
import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from gateway.metering import partitions, rebuild, store
from gateway.metering.event import UsageEvent
from gateway.metering.summary import Span
from tests.metering.ledger import ACME, UMBRELLA, Ledger, usage_event
from tests.metering.test_partitions import FAR, TODAY, no_far_partitions
from tests.metering.test_supersede import CLAUDE_CODE, SOURCES, rows, told

__all__ = ["no_far_partitions"]

NOON = datetime.datetime.combine(TODAY, datetime.time(12), datetime.UTC)
YESTERDAY = NOON - datetime.timedelta(days=1)
SUMS = ("usage_minute", "usage_hour", "usage_day", "usage_session")


def events(at: datetime.datetime, count: int = 40, price: int | None = None) -> list[UsageEvent]:
    return [
        usage_event(
            at + datetime.timedelta(minutes=n % 7),
            price_version=price,
            organization_id=(ACME, UMBRELLA)[n % 2],
            api_key_id=f"k{n % 3}",
            status=(200, 529)[n % 5 == 0],
            user_agent=CLAUDE_CODE if n % 3 else "curl/8",
            session_id=f"s{n % 4}",
        )
        for n in range(count)
    ]


DAMAGES: dict[str, str] = {
    "wrong": "UPDATE {table} SET requests = requests + 7, cost = cost / 3, output_tokens = 0",
    "gone": "DELETE FROM {table}",
    "of nobody": "UPDATE {table} SET api_key_id = 'k9', organization_id = gen_random_uuid() WHERE api_key_id = 'k1'",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_damaged_sums_are_made_whole_to_the_last_digit(ledger: Ledger, damage: str) -> None:
    price = ledger.price(input="3.0000000001")
    ledger.record(*events(NOON, price=price), *events(YESTERDAY, price=price))
    right = sums(ledger)
    for table in SUMS:
        ledger.connection.execute(damage.format(table=table).encode())
    assert ledger.drift() != []

    counts = [rebuild.rebuild(ledger.connection, Span(at.date())) for at in (NOON, YESTERDAY)]

    assert all(count > 0 for one in counts for count in one.values())
    assert sums(ledger) == right
    assert ledger.drift() == []


def test_right_sums_are_left_alone(ledger: Ledger) -> None:
    ledger.record(*events(NOON))

    assert rebuild.rebuild(ledger.connection, Span(TODAY)) == dict.fromkeys(SUMS, 0)


def test_only_the_day_and_the_organization_that_were_asked_for_change(ledger: Ledger) -> None:
    ledger.record(*events(NOON), *events(YESTERDAY))
    for table in SUMS:
        ledger.connection.execute(f"UPDATE {table} SET requests = requests + 1".encode())

    rebuild.rebuild(ledger.connection, Span(TODAY, UMBRELLA))

    wrong = {(line[0], moment(line[1])) for line in ledger.drift()}
    assert wrong == {(ACME, TODAY), (ACME, YESTERDAY.date()), (UMBRELLA, YESTERDAY.date())}


def test_each_difference_is_told_with_what_is_missing(ledger: Ledger) -> None:
    ledger.record(*(told(one, "reported") for one in events(NOON, count=1)))
    ledger.connection.execute("UPDATE usage_hour SET requests = 3, output_cost = output_cost + 1")

    (found,) = rebuild.differences(ledger.connection, Span(TODAY))

    assert (found.table, found.key["organization_id"], found.key["bucket"]) == ("usage_hour", ACME, NOON)
    assert found.missing == {"requests": -2, "output_cost": Decimal(-1)}


@pytest.mark.usefixtures("no_far_partitions")
def test_a_day_whose_events_were_dropped_keeps_its_sums(ledger: Ledger) -> None:
    old = datetime.datetime.combine(FAR[0], datetime.time(12), datetime.UTC)
    ledger.record(*events(old))
    right = sums(ledger)
    with ledger.connection.transaction(), ledger.connection.cursor() as cursor:
        partitions.drop(cursor, FAR[0])

    assert rebuild.rebuild(ledger.connection, Span(FAR[0])) == {}
    assert list(rebuild.differences(ledger.connection, Span(FAR[0]))) == []
    assert FAR[0] not in rebuild.days(ledger.connection, FAR[0], None)
    assert sums(ledger) == right


@pytest.mark.parametrize("seed", range(2))
def test_drains_and_other_rebuilds_beside_it_lose_and_double_nothing(ledger: Ledger, seed: int) -> None:
    """One rebuild each, begun amid drains that write new rows and better ones, makes damaged sums right."""
    chance = random.Random(seed)
    given = events(NOON, count=400)
    ledger.record(*(told(one, "unknown") for one in given[:200]))
    for table in SUMS:
        ledger.connection.execute(f"UPDATE {table} SET requests = requests * 5, cost = cost + 1".encode())
        ledger.connection.execute(f"DELETE FROM {table} WHERE api_key_id = 'k2'".encode())
    batches = [[told(one, chance.choice(SOURCES)) for one in chance.sample(given, 20)] for _ in range(60)]

    def drain(share: list[list[UsageEvent]]) -> Callable[[psycopg.Connection], None]:
        def work(connection: psycopg.Connection) -> None:
            for batch in share:
                store.record(connection, rows(batch))

        return work

    def again(connection: psycopg.Connection) -> None:
        for _ in range(4):
            rebuild.rebuild(connection, Span(TODAY))

    problems = at_once(ledger, [drain(batches[n::3]) for n in range(3)] + [again, again])

    assert problems == []
    assert ledger.drift() == []


def at_once(ledger: Ledger, works: list[Callable[[psycopg.Connection], None]]) -> list[Exception]:
    """Each in a thread with a connection; returns what went wrong."""
    problems: list[Exception] = []
    barrier = threading.Barrier(len(works))

    def run(work: Callable[[psycopg.Connection], None]) -> None:
        try:
            with psycopg.connect(ledger.database_url, autocommit=True) as connection:
                barrier.wait()
                work(connection)
        except Exception as problem:
            problems.append(problem)

    threads = [threading.Thread(target=run, args=[work]) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return problems


def sums(ledger: Ledger) -> dict[str, set[tuple[Any, ...]]]:
    return {
        table: set(ledger.connection.execute(f"SELECT * FROM {table}".encode()).fetchall()) for table in SUMS
    }


def moment(at: datetime.date) -> datetime.date:
    return at.date() if isinstance(at, datetime.datetime) else at
