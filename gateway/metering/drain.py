"""The drain: takes usage events from the Valkey stream and writes them to Postgres.

Delivery is at least once (an entry is acknowledged after its commit, and claimed by another drain if its own
dies), recording is idempotent (unique by day and attempt id), so that every attempt counts exactly once. Any
number of drains may run. While a store is away a drain waits for it and keeps what it holds.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Sequence

import psycopg
import redis
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry

from gateway.metering import event, partitions, store
from gateway.metering.database import Database
from gateway.metering.prices import PriceBook
from gateway.metering.rows import LedgerRow, row_from_event
from gateway.metering.stream import Entry, UsageStream

BATCH = 1000
BLOCK_MS = 500

# After a small batch, wait for more: a commit for each of few events costs more than they do, and a tenth of
# a second is far below the five in which usage has to show.
LINGER = 0.1
CLAIM_EVERY = 1.0
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0

# Faults of one event's values: too long, out of range, not text. All else is the database's trouble.
POISON = (psycopg.DataError, OverflowError, UnicodeError)

log = structlog.get_logger(__name__)


class Drain:
    """One drain process. `run` returns after `stop`, which a signal handler may call."""

    def __init__(self, *, database_url: str, redis_url: str) -> None:
        self._database = Database(database_url)
        self._stream = UsageStream(_valkey(redis_url))
        self._prices = PriceBook()
        self._claim_at = 0.0
        self._held: list[Entry] = []
        self._stopping = False
        self.recorded = 0
        self.rejected = 0

    def run(self) -> None:
        log.info("drain_started", member=self._stream.member)
        pause = FIRST_PAUSE
        while not self._stopping:
            try:
                self.step()
                pause = FIRST_PAUSE
            except (redis.RedisError, psycopg.Error) as problem:
                log.error("drain_waits", held=len(self._held), retry_in=pause, error=_first_line(problem))
                self._database.close()
                self._sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
        self._leave()
        log.info("drain_stopped", recorded=self.recorded, rejected=self.rejected)

    def stop(self) -> None:
        self._stopping = True

    def step(self) -> None:
        """Take a batch, or go on with the one that a failure left behind; record it; acknowledge it.

        Raises `redis.RedisError` or `psycopg.Error`; the batch is then still held.
        """
        if not self._held:
            self._held = self._take()
        rows, rejected = self._rows(self._held)
        rejected |= self._record(rows)
        self._finish(self._held, rejected)
        few = 0 < len(self._held) < BATCH
        self._held = []
        if few:
            self._sleep(LINGER)

    def _take(self) -> list[Entry]:
        """Now and then what the dead left behind, else what is new."""
        if time.monotonic() >= self._claim_at:
            claimed = self._stream.claim(BATCH)
            if claimed:
                log.info("drain_claimed", entries=len(claimed))
                return claimed
            self._claim_at = time.monotonic() + CLAIM_EVERY
            self._stream.forget_dead_members()
            self._make_partitions_ahead()
        return self._stream.take(BATCH, BLOCK_MS)

    def _make_partitions_ahead(self) -> None:
        connection = self._database.connection()
        with connection.transaction(), connection.cursor() as cursor:
            partitions.ensure(cursor, partitions.days_ahead(_now().date()))

    def _rows(self, entries: Sequence[Entry]) -> tuple[list[tuple[Entry, LedgerRow]], dict[Entry, str]]:
        """Decode and price. Whatever an entry does wrong, it must not stop the others: it is put aside."""
        decoded: list[tuple[Entry, event.UsageEvent]] = []
        rejected: dict[Entry, str] = {}
        for entry in entries:
            try:
                decoded.append((entry, event.decode(entry.payload)))
            except Exception as problem:
                rejected[entry] = f"not a usage event: {_first_line(problem)}"
        self._learn_prices([usage for _, usage in decoded])
        rows: list[tuple[Entry, LedgerRow]] = []
        now = _now()
        for entry, usage in decoded:
            try:
                rows.append((entry, row_from_event(usage, self._prices, now)))
            except Exception as problem:
                rejected[entry] = _first_line(problem)
        return rows, rejected

    def _learn_prices(self, events: Sequence[event.UsageEvent]) -> None:
        versions = {usage.price_version for usage in events if usage.price_version is not None}
        if not self._prices.knows(versions):
            self._prices.learn(self._database.connection(), versions)

    def _record(self, rows: Sequence[tuple[Entry, LedgerRow]]) -> dict[Entry, str]:
        """Commit the rows; while one of them cannot be stored, halve until it stands alone. Returns those."""
        if not rows:
            return {}
        try:
            self.recorded += store.record(self._database.connection(), [row for _, row in rows])
            return {}
        except POISON as problem:
            if len(rows) == 1:
                return {rows[0][0]: f"cannot be stored: {_first_line(problem)}"}
        middle = len(rows) // 2
        return self._record(rows[:middle]) | self._record(rows[middle:])

    def _finish(self, entries: Sequence[Entry], rejected: dict[Entry, str]) -> None:
        self._stream.finish([entry for entry in entries if entry not in rejected], rejected)
        for entry, reason in rejected.items():
            self.rejected += 1
            log.error("usage_event_rejected", entry=entry.id.decode(), reason=reason, rejected=self.rejected)

    def _leave(self) -> None:
        try:
            self._stream.leave()
        except redis.RedisError as problem:
            log.warning("drain_left_without_word", error=_first_line(problem))
        self._database.close()

    def _sleep(self, seconds: float) -> None:
        """In slices, since `time.sleep` goes on after a signal."""
        until = time.monotonic() + seconds
        while not self._stopping and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 0.1))


def _valkey(url: str) -> redis.Redis:
    """Without redis-py's own retries: the drain waits in its own way, and hears SIGTERM while it does."""
    return redis.Redis.from_url(
        url,
        protocol=2,
        retry=Retry(NoBackoff(), 0),
        socket_connect_timeout=2,
        socket_timeout=BLOCK_MS / 1000 + 2,
    )


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _first_line(problem: Exception) -> str:
    """Database messages go on with the statement and its values, which do not belong into a log."""
    return f"{type(problem).__name__}: {str(problem).partition(chr(10))[0]}"
