"""What the tests of metering share: the ledger with its stream, and events to put through it."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

import psycopg
import redis
from django.conf import settings
from django.db import connection as django_connection

from gateway.metering import event, sessions, store
from gateway.metering.drain import Drain
from gateway.metering.event import UsageEvent
from gateway.metering.prices import PriceBook
from gateway.metering.rollups import DIMENSIONS, SUMS
from gateway.metering.rows import row_from_event
from gateway.metering.stream import STREAMS, rejected_stream
from gateway.supervisor.postgres import Postgres
from gateway.supervisor.valkey import Valkey
from gateway.token_usage import TokenUsage

Answer = TypeVar("Answer")

ACME = uuid.UUID("00000000-0000-4000-8000-00000000ac3e")
UMBRELLA = uuid.UUID("00000000-0000-4000-8000-0000000b4e11")

# Where tests put events whoever they are of: the drain reads all streams alike.
STREAM = STREAMS[3]

TABLES = ("usage_event", "usage_minute", "usage_hour", "usage_day", "usage_session", "api_key_use")


@dataclasses.dataclass
class Ledger:
    connection: psycopg.Connection
    database_url: str
    redis_url: str
    valkey: redis.Redis

    def empty(self) -> None:
        """DELETE, since TRUNCATE would wait for the transaction in which pytest-django runs the test."""
        for table in TABLES:
            self.connection.execute(f"DELETE FROM {table}".encode())
        self.connection.execute("DELETE FROM gateway_price WHERE model_name LIKE 'metering-test%'")

    def price(self, **rates: str | int) -> int:
        """A new price version."""
        given = {
            "input": 3,
            "output": 15,
            "cache_read": "0.3",
            "cache_write_5m": "3.75",
            "cache_write_1h": 6,
            **rates,
        }
        names = ", ".join(given)
        row = self.connection.execute(
            f"INSERT INTO gateway_price (model_name, effective_at, {names})"
            f" VALUES ('metering-test', now(), {', '.join(f'%({name})s' for name in given)}) RETURNING id".encode(),
            given,
        ).fetchone()
        assert row is not None
        return cast(int, row[0])

    def send(self, events: Iterable[UsageEvent]) -> None:
        self.send_payloads([event.encode(one) for one in events])

    def send_payloads(self, payloads: Iterable[bytes]) -> None:
        with self.valkey.pipeline(transaction=False) as commands:
            for payload in payloads:
                commands.xadd(STREAM, {event.FIELD: payload})
            commands.execute()

    def record(self, *events: UsageEvent) -> None:
        """What the drain does with them once it has them."""
        book, now = PriceBook(), datetime.datetime.now(datetime.UTC)
        book.learn(self.connection, {one.price_version for one in events if one.price_version is not None})
        store.record(self.connection, [row_from_event(one, book, now) for one in events])

    def drain(self) -> Drain:
        """A drain in this process, on which tests call `step`."""
        return Drain(database_url=self.database_url, redis_url=self.redis_url)

    def drain_all(self, drain: Drain | None = None) -> Drain:
        """Step a drain, a new one unless given, until nothing is left."""
        drain = drain or self.drain()
        deadline = time.monotonic() + 20
        while self.waiting():
            assert time.monotonic() < deadline, f"{self.waiting()} entries are never drained"
            drain.step()
        return drain

    def waiting(self) -> int:
        return sum(self.valkey.xlen(stream) for stream in STREAMS)

    def rejected(self) -> list[dict[bytes, bytes]]:
        """The fields of the entries that the drain put aside."""
        entries: Any = self.valkey.xrange(rejected_stream(STREAM))
        return [fields for _, fields in entries]

    def attempts(self) -> set[uuid.UUID]:
        return {row[0] for row in self.connection.execute("SELECT attempt_id FROM usage_event")}

    def count(self) -> int:
        row = self.connection.execute("SELECT count(*) FROM usage_event").fetchone()
        assert row is not None
        return cast(int, row[0])

    def drift(self) -> list[tuple[Any, ...]]:
        """Rows in which the rollups and the sums over the events differ, for every width. Empty is right."""
        found: list[tuple[Any, ...]] = []
        for period in ("minute", "hour", "day"):
            key = {
                "organization_id": "organization_id",
                "bucket": f"date_trunc('{period}', at, 'UTC')",
                **DIMENSIONS,
            }
            found += self._differing(f"usage_{period}", key, SUMS, "true")
        ours = "user_agent LIKE 'claude-cli/%'"
        return found + self._differing("usage_session", sessions.KEY, sessions.SUMS, ours)

    def _differing(
        self, table: str, key: Mapping[str, str], sums: Mapping[str, str], which: str
    ) -> list[tuple[Any, ...]]:
        places = ", ".join(str(n + 1) for n in range(len(key)))
        summed = (
            f"SELECT {', '.join((*key.values(), *sums.values()))} FROM usage_event"
            f" WHERE {which} GROUP BY {places}"
        )
        rolled = f"SELECT {', '.join((*key, *sums))} FROM {table}"
        query = f"({summed} EXCEPT {rolled}) UNION ALL ({rolled} EXCEPT {summed})"
        return self.connection.execute(query.encode()).fetchall()


@contextlib.contextmanager
def empty_ledger(postgres: Postgres, valkey_server: Valkey, valkey: redis.Redis) -> Iterator[Ledger]:
    """It is emptied again in the end: what a drain commits, no test rolls back."""
    with (
        psycopg.connect(database_url(postgres), autocommit=True) as connection,
        own_streams(valkey_server) as (url, client),
    ):
        ledger = Ledger(connection, database_url(postgres), url, client)
        ledger.empty()
        yield ledger
        ledger.empty()


@contextlib.contextmanager
def own_streams(valkey_server: Valkey) -> Iterator[tuple[str, redis.Redis]]:
    """Empty ones, in a database of their own: a gateway that lives beside a test sends again what an emptied Valkey
    lost, at any time."""
    url = f"{valkey_server.url}?db=5"
    with redis.Redis.from_url(url) as client:
        client.flushdb()
        yield url, client


def database_url(server: Postgres) -> str:
    """The address of pytest-django's test database."""
    return urlsplit(server.url)._replace(path=f"/{settings.DATABASES['default']['NAME']}").geturl()


def attempt_at(at: datetime.datetime) -> uuid.UUID:
    """An attempt id as `ids.new_attempt_id` would have made it at `at`."""
    milliseconds = int(at.timestamp()) * 1000 + at.microsecond // 1000
    value = (milliseconds << 80) | int.from_bytes(os.urandom(10), "big")
    return uuid.UUID(int=value & ~(0xF << 76) & ~(0x3 << 62) | (7 << 76) | (2 << 62))


def usage_event(at: datetime.datetime | None = None, **changes: Any) -> UsageEvent:
    """A plausible event of Acme, of now unless told otherwise."""
    at = at or datetime.datetime.now(datetime.UTC)
    given: dict[str, Any] = {
        "attempt_id": attempt_at(at),
        "request_id": "req_01",
        "organization_id": ACME,
        "workspace_id": "wrkspc_01",
        "api_key_id": "apikey_01",
        "endpoint": "messages",
        "model_requested": "claude-sonnet-4-5",
        "model": "claude-sonnet-4-5",
        "provider": "simulator",
        "upstream_model": "claude-sonnet-4-5",
        "stream": True,
        "status": 200,
        "usage_source": "reported",
        "usage": TokenUsage(input_tokens=100, output_tokens=20),
        "latency_ms": 1500,
        "time_to_first_token_ms": 300,
        "checked_ms": 2,
        "admitted_ms": 4,
    }
    return UsageEvent(**{**given, **changes})


def committed(work: Callable[[], Answer]) -> Answer:
    """What `work` answers in a thread, which has a connection of its own: in the test's nothing is committed."""
    return start(work)()


def start(work: Callable[[], Answer]) -> Callable[[], Answer]:
    """Begin `work` in such a thread; what is returned waits for its answer."""
    answers: list[Answer] = []

    def run() -> None:
        try:
            answers.append(work())
        finally:
            django_connection.close()

    thread = threading.Thread(target=run)
    thread.start()

    def answer() -> Answer:
        thread.join()
        (told,) = answers
        return told

    return answer


def until(true: Callable[[], bool], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
