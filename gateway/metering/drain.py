"""The drain: takes usage events from the Valkey streams and writes them to Postgres.

Delivery is at least once (an entry is acknowledged after its commit, and claimed by another drain if its own
dies), recording is idempotent (unique by day and attempt id), so that every attempt counts exactly once. Any
number of drains may run. While a store is away a drain waits for it and keeps what it holds.
"""

from __future__ import annotations

import datetime
import time
import uuid
from collections.abc import Mapping, Sequence

import psycopg
import redis
import structlog

from gateway.metering import event, partitions, store
from gateway.metering.database import Database
from gateway.metering.prices import PriceBook
from gateway.metering.refusals import Refusals
from gateway.metering.rows import LedgerRow, row_from_event
from gateway.metering.stream import Entry, UsageStreams
from gateway.valkey_clients import connect

BATCH = 1000  # rows of one transaction

# After a small batch, wait for more: a commit for each of few events costs more than they do, and a tenth of
# a second is far below the five in which usage has to show.
LINGER = 0.1
CLAIM_EVERY = 1.0
HOUSEKEEPING_EVERY = 60.0
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0
ANSWER_SECONDS = 3.0

# Faults of one event's values: too long, out of range, not text. All else is the database's trouble.
POISON = (psycopg.DataError, OverflowError, UnicodeError)

log = structlog.get_logger(__name__)


class Drain:
    """One drain process. `run` returns after `stop`, which a signal handler may call."""

    def __init__(self, *, database_url: str, redis_url: str) -> None:
        self._database = Database(database_url)
        self._redis_url = redis_url
        self._streams: UsageStreams | None = None
        self._refusals: Refusals | None = None
        self._prices = PriceBook()
        self._claim_at = 0.0
        self._clean_at = 0.0
        self._held: list[Entry] = []
        self._stopping = False
        self.recorded = 0
        self.rejected = 0

    def run(self) -> None:
        log.info("drain_started")
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
        """Take what is there, or go on with what a failure left behind; record it; acknowledge it.

        Raises `redis.RedisError` or `psycopg.Error`; what is not recorded is then still held.
        """
        if not self._held:
            self._held = self._take()
        many = len(self._held) >= BATCH
        while self._held:
            batch = self._held[:BATCH]
            self._handle(batch)
            self._held = self._held[len(batch) :]
        if not many:
            self._sleep(LINGER)

    def _handle(self, entries: Sequence[Entry]) -> None:
        decoded, rejected = _decoded(entries)
        rows, unstorable = self._priced(decoded)
        addresses = {usage.attempt_id: usage.address for _, usage in decoded if usage.address}
        rejected |= unstorable | self._record(rows, addresses)
        self._finish(entries, rejected, _by_journal([usage for _, usage in decoded]))

    def _take(self) -> list[Entry]:
        """Now and then what the dead left behind, else what is new."""
        if self._streams is None:
            valkey = connect(self._redis_url, timeout=ANSWER_SECONDS)
            self._streams, self._refusals = UsageStreams(valkey), self._refusals or Refusals(valkey)
        if time.monotonic() >= self._claim_at:
            claimed = self._streams.claim(BATCH)
            if claimed:
                log.info("drain_claimed", entries=len(claimed))
                return claimed
            self._claim_at = time.monotonic() + CLAIM_EVERY
            self._look_after_the_rest(self._streams)
        return self._streams.take(BATCH)

    def _look_after_the_rest(self, streams: UsageStreams) -> None:
        """Refusals each second, everything else now and then."""
        connection = self._database.connection()
        try:
            if self._refusals is not None:
                self._refusals.step(connection)
        except redis.RedisError as problem:  # a cluster's node, perhaps; usage does not wait for diagnoses
            log.warning("refusals_wait", error=_first_line(problem))
        if time.monotonic() >= self._clean_at:
            streams.forget_dead_members()
            with connection.transaction(), connection.cursor() as cursor:
                partitions.ensure(cursor, partitions.days_ahead(_now().date()))
            self._clean_at = time.monotonic() + HOUSEKEEPING_EVERY

    def _priced(
        self, decoded: Sequence[tuple[Entry, event.UsageEvent]]
    ) -> tuple[list[tuple[Entry, LedgerRow]], dict[Entry, str]]:
        """Whatever an entry does wrong, it must not stop the others: it is put aside."""
        self._learn_prices([usage for _, usage in decoded])
        rows: list[tuple[Entry, LedgerRow]] = []
        rejected: dict[Entry, str] = {}
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

    def _record(
        self, rows: Sequence[tuple[Entry, LedgerRow]], addresses: Mapping[uuid.UUID, str]
    ) -> dict[Entry, str]:
        """Commit the rows; while one of them cannot be stored, halve until it stands alone. Returns those."""
        if not rows:
            return {}
        try:
            connection = self._database.connection()
            self.recorded += store.record(connection, [row for _, row in rows], addresses)
            return {}
        except POISON as problem:
            if len(rows) == 1:
                return {rows[0][0]: f"cannot be stored: {_first_line(problem)}"}
        middle = len(rows) // 2
        return self._record(rows[:middle], addresses) | self._record(rows[middle:], addresses)

    def _finish(
        self, entries: Sequence[Entry], rejected: dict[Entry, str], journals: dict[str, bytes]
    ) -> None:
        assert self._streams is not None, "entries came from there"
        self._streams.finish([entry for entry in entries if entry not in rejected], rejected, journals)
        for entry, reason in rejected.items():
            self.rejected += 1
            log.error("usage_event_rejected", entry=entry.id.decode(), reason=reason, rejected=self.rejected)

    def _leave(self) -> None:
        try:
            if self._streams is not None:
                self._streams.leave()
        except redis.RedisError as problem:
            log.warning("drain_left_without_word", error=_first_line(problem))
        self._database.close()

    def _sleep(self, seconds: float) -> None:
        """In slices, since `time.sleep` goes on after a signal."""
        until = time.monotonic() + seconds
        while not self._stopping and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 0.1))


def _decoded(
    entries: Sequence[Entry],
) -> tuple[list[tuple[Entry, event.UsageEvent]], dict[Entry, str]]:
    """The events of entries, and why others hold none."""
    decoded: list[tuple[Entry, event.UsageEvent]] = []
    rejected: dict[Entry, str] = {}
    for entry in entries:
        try:
            decoded.append((entry, event.decode(entry.payload)))
        except Exception as problem:
            rejected[entry] = f"not a usage event: {_first_line(problem)}"
    return decoded, rejected


def _by_journal(events: Sequence[event.UsageEvent]) -> dict[str, bytes]:
    """The attempts that each journal waits for; a rejected one too, since nothing more will come of it."""
    ids: dict[str, list[bytes]] = {}
    for usage in events:
        if usage.journal:
            ids.setdefault(usage.journal, []).append(usage.attempt_id.bytes)
    return {journal: b"".join(attempts) for journal, attempts in ids.items()}


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _first_line(problem: Exception) -> str:
    """Database messages go on with the statement and its values, which do not belong into a log."""
    return f"{type(problem).__name__}: {str(problem).partition(chr(10))[0]}"
