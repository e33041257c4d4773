"""Refusals on their way from the streams of the shards into the table, by a real Valkey and a real PostgreSQL."""

from __future__ import annotations

import datetime
import time
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import redis
from django.db import connection

from gateway.metering import partitions, refusal, refusals
from gateway.metering.refusal import LimitRefusal
from gateway.metering.tasks import drop_partitions, make_partitions
from gateway.models import LimitBlock
from gateway.shards import SHARDS, refusals_stream, shard_of
from tests.metering.ledger import ACME, UMBRELLA, Ledger
from tests.metering.test_refusal import of_ada

NOW = datetime.datetime.now(datetime.UTC).replace(microsecond=123_000)
TODAY = NOW.date()
DAY = datetime.timedelta(days=1)
COUNT = "SELECT count(*), count(DISTINCT request_id) FROM limit_block"


@pytest.fixture
def house(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    """With nothing in the streams and in the table, before and after; and time enough on a busy machine."""
    monkeypatch.setattr(refusals, "BUDGET", 60)
    _clear(ledger)
    yield ledger
    _clear(ledger)


def _clear(ledger: Ledger) -> None:
    ledger.connection.execute("DELETE FROM limit_block")
    for shard in range(SHARDS):
        ledger.valkey.delete(refusals_stream(shard))


def milliseconds(at: datetime.datetime) -> int:
    return round(at.timestamp() * 1000)


def refused(when: datetime.datetime = NOW, **changed: Any) -> LimitRefusal:
    return of_ada(**{"at": milliseconds(when), "organization_id": ACME, "scope_id": str(ACME), **changed})


def append(house: Ledger, *payloads: bytes, shard: int = shard_of(ACME)) -> None:
    with house.valkey.pipeline(transaction=False) as commands:
        for payload in payloads:
            stream = refusals_stream(shard)
            commands.xadd(stream, {refusal.FIELD: payload}, maxlen=refusal.LONGEST, approximate=True)
        commands.execute()


def send(house: Ledger, *sent: LimitRefusal) -> None:
    for one in sent:
        append(house, refusal.encode(one), shard=shard_of(one.organization_id))


def stored(house: Ledger) -> tuple[Any, ...]:
    """How many rows, and of how many requests."""
    row = house.connection.execute(COUNT).fetchone()
    assert row is not None
    return tuple(row)


def waiting(house: Ledger) -> int:
    return sum(house.valkey.xlen(refusals_stream(shard)) for shard in range(SHARDS))


def test_a_refusal_becomes_a_row_and_leaves_the_stream(house: Ledger) -> None:
    send(house, refused(scope="api_key", scope_id="apikey_01c", retry_after_ms=None, spend_limit_id="spl_01"))

    assert refusals.Refusals(house.valkey).step(house.connection) == 1

    (row,) = LimitBlock.objects.filter(organization_id=ACME).values()
    id = row.pop("id")
    assert (id[:7], len(id)) == ("lblk_01", 29)
    assert row == {
        "day": TODAY,
        "at": NOW,
        "request_id": "req_01" + "a" * 22,
        "organization_id": ACME,
        "workspace_id": "wrkspc_01" + "b" * 22,
        "api_key_id": "apikey_01" + "c" * 22,
        "model": "claude-sonnet-4-5",
        "endpoint": "messages",
        "kind": "rate_limit",
        "scope_type": "api_key",
        "scope_id": "apikey_01c",
        "pool": "all_models",
        "limiter": "output_tokens_per_minute",
        "limit_value": 80_000,
        "needed": 4_096,
        "remaining": -120,
        "retry_after_ms": None,
        "spend_limit_id": "spl_01",
    }
    assert waiting(house) == 0


def test_every_shard_is_read_in_one_step(house: Ledger) -> None:
    organizations = [uuid.UUID(int=n) for n in range(SHARDS)]
    send(house, *(refused(organization_id=one, request_id=f"req_{one.int}") for one in organizations))

    refusals.Refusals(house.valkey).step(house.connection)

    assert (stored(house), waiting(house)) == ((SHARDS, SHARDS), 0)


def test_what_comes_twice_is_stored_once_and_two_limits_of_one_request_are_two_rows(house: Ledger) -> None:
    writer = refusals.Refusals(house.valkey)
    send(house, refused(), refused(), refused(limiter="requests_per_minute"))
    assert writer.step(house.connection) == 2

    send(house, refused())
    assert writer.step(house.connection) == 0

    assert stored(house) == (2, 1)
    assert waiting(house) == 0


def test_the_same_request_id_of_two_organizations_is_two_rows(house: Ledger) -> None:
    send(house, refused(), refused(organization_id=UMBRELLA))

    refusals.Refusals(house.valkey).step(house.connection)

    assert stored(house) == (2, 1)


def test_garbage_is_forgotten_and_costs_nobody_anything(house: Ledger) -> None:
    strange = [
        b"",
        b"{}",
        b"null",
        b"\xff\xfe",
        b'["req_1"]',
        refusal.encode(refused()).replace(b"rate_limit", b"no_kind", 1),
        refusal.encode(refused()).replace(b"req_01", b"\\ud800"),
        refusal.encode(refused(limit=10**17)),
        refusal.encode(refused(needed=-(10**17))),
        refusal.encode(refused(at=0)),
        refusal.encode(refused(at=-(2**62))),
        refusal.encode(refused(at=2**62)),
        refusal.encode(refused(NOW + 2 * DAY)),
        refusal.encode(refused(NOW - 8 * DAY)),
    ]
    append(house, *strange)
    house.valkey.xadd(refusals_stream(shard_of(ACME)), {"another field": "x"})
    send(house, refused(request_id="req_good"))
    before = existing(house)

    assert refusals.Refusals(house.valkey).step(house.connection) == 1

    row = house.connection.execute("SELECT request_id FROM limit_block").fetchone()
    assert row == ("req_good",)
    assert waiting(house) == 0
    assert existing(house) <= before | {name(TODAY)}


def test_long_texts_and_nuls_are_cut_and_not_refused(house: Ledger) -> None:
    texts = ("request_id", "workspace_id", "api_key_id", "model", "endpoint", "scope_id", "pool", "limiter")
    send(house, refused(**dict.fromkeys((*texts, "spend_limit_id"), "\0é\U0001f600" * 500)))

    assert refusals.Refusals(house.valkey).step(house.connection) == 1

    row = LimitBlock.objects.get(organization_id=ACME)
    assert (len(row.model), row.model[:3]) == (200, "\ufffdé\U0001f600")


@pytest.mark.parametrize(
    ("told", "kept"), [(None, None), (0, 0), (-5, 0), (3_162, 3_162), (2**70, refusals.LONGEST_WAIT_MS)]
)
def test_a_wait_is_kept_within_what_a_calendar_has(told: int | None, kept: int | None) -> None:
    assert refusals.row_from_refusal(refused(retry_after_ms=told), NOW).retry_after_ms == kept


def test_what_the_table_cannot_hold_does_not_come_back(house: Ledger) -> None:
    """As after an update that is not through everywhere: the table is older than the program."""
    house.connection.execute("ALTER TABLE limit_block ALTER limiter TYPE varchar(3)")
    try:
        send(house, refused())
        assert refusals.Refusals(house.valkey).step(house.connection) == 0
    finally:
        house.connection.execute("ALTER TABLE limit_block ALTER limiter TYPE varchar(64)")

    assert (stored(house), waiting(house)) == ((0, 0), 0)


def test_while_postgres_is_away_refusals_wait(house: Ledger) -> None:
    send(house, refused())
    writer = refusals.Refusals(house.valkey)
    lost = psycopg.connect(house.database_url, autocommit=True)
    lost.close()

    with pytest.raises(psycopg.Error):
        writer.step(lost)

    assert waiting(house) == 1
    assert writer.step(house.connection) == 1


def test_while_valkey_is_away_the_drain_hears_of_it(house: Ledger) -> None:
    with pytest.raises(redis.RedisError):
        refusals.Refusals(redis.Redis.from_url("unix:///nonexistent/valkey.sock")).step(house.connection)


def test_a_flood_is_taken_in_pieces(house: Ledger) -> None:
    flood = [refusal.encode(refused(request_id=f"req_{n}")) for n in range(2 * refusals.BATCH + 1)]
    append(house, *flood)
    writer = refusals.Refusals(house.valkey)

    assert [writer.step(house.connection) for _ in range(4)] == [refusals.BATCH, refusals.BATCH, 1, 0]

    assert (stored(house), waiting(house)) == ((len(flood), len(flood)), 0)


def test_when_the_time_is_up_the_other_shards_come_first_in_the_next_step(
    house: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "BUDGET", 0)
    for shard in range(SHARDS):
        organization = uuid.UUID(int=shard)
        send(house, *(refused(organization_id=organization, request_id=f"req_{n}") for n in range(shard + 1)))
    writer = refusals.Refusals(house.valkey)

    assert [writer.step(house.connection) for _ in range(SHARDS + 1)] == [*range(1, SHARDS + 1), 0]


def test_of_a_client_that_never_waits_most_is_forgotten_and_of_others_nothing(
    house: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "OF_A_KEY", (30, 0.001))
    monkeypatch.setattr(refusals, "OF_AN_ORGANIZATION", (50, 0.001))
    writer = refusals.Refusals(house.valkey)

    def keeps(key: str, organization: uuid.UUID, count: int) -> int:
        same = {"api_key_id": key, "organization_id": organization}
        send(house, *(refused(request_id=f"req_{key}_{n}", **same) for n in range(count)))
        return writer.step(house.connection)

    assert keeps("loud", ACME, 100) == 30
    assert keeps("quiet", ACME, 10) == 10
    assert keeps("another", ACME, 100) == 10
    assert keeps("theirs", UMBRELLA, 10) == 10
    assert waiting(house) == 0


def test_a_step_with_little_to_do_is_short(house: Ledger) -> None:
    writer = refusals.Refusals(house.valkey)
    times = []
    for n in range(20):
        send(house, *(refused(request_id=f"req_{n}_{m}") for m in range(5)))
        began = time.perf_counter()
        writer.step(house.connection)
        times.append(time.perf_counter() - began)

    assert sorted(times)[10] < 0.1
    assert stored(house) == (100, 100)


# --- Partitions ---


def test_a_refusal_at_the_end_of_a_day_is_in_the_partition_of_that_day(house: Ledger) -> None:
    last = datetime.datetime.combine(TODAY, datetime.time(), datetime.UTC) - datetime.timedelta(
        milliseconds=1
    )
    send(house, refused(last))

    refusals.Refusals(house.valkey).step(house.connection)

    row = house.connection.execute("SELECT tableoid::regclass::text, day, at FROM limit_block").fetchone()
    assert row == (name(TODAY - DAY), TODAY - DAY, last)


@pytest.mark.django_db
def test_beat_makes_partitions_ahead_and_drops_those_of_more_than_seven_days() -> None:
    days = [TODAY - n * DAY for n in (6, 7, 8, 9, 40)]
    with connection.cursor() as cursor:
        partitions.ensure(cursor, days, refusals.TABLE)
        of_the_ledger = partitions.ensure(cursor, [TODAY - 380 * DAY])

    make_partitions()
    dropped = drop_partitions()

    with connection.cursor() as cursor:
        cursor.execute("SELECT inhrelid::regclass::text FROM pg_inherits")
        left = {row[0] for row in cursor.fetchall()}
    assert {name(day) for day in days[2:]} <= set(dropped)
    assert left & {name(day) for day in days} == {name(day) for day in days[:2]}
    assert left >= {name(day) for day in partitions.days_ahead(TODAY)}
    assert left >= {f"usage_event_{day:%Y%m%d}" for day in of_the_ledger}
    assert drop_partitions() == []


def test_while_somebody_reads_an_old_partition_stays_and_nobody_waits_long(house: Ledger) -> None:
    far = TODAY - 30 * DAY
    with house.connection.transaction(), house.connection.cursor() as cursor:
        partitions.ensure(cursor, [far, *partitions.days_ahead(TODAY)], refusals.TABLE)
    with psycopg.connect(house.database_url) as reader:
        reader.execute("SELECT count(*) FROM limit_block")
        began = time.monotonic()
        assert drop_partitions() == []
        assert time.monotonic() - began < 3
        assert name(far) in existing(house)

    with house.connection.transaction(), house.connection.cursor() as cursor:
        partitions.drop(cursor, far, refusals.TABLE)
    assert name(far) not in existing(house)


def name(day: datetime.date) -> str:
    return f"limit_block_{day:%Y%m%d}"


def existing(house: Ledger) -> set[str]:
    query = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'limit_block'::regclass"
    return {row[0] for row in house.connection.execute(query)}
