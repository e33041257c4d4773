"""Takes refusals from their streams and writes them to `limit_block`, as a part of the drain.

They are diagnoses: a few may be lost, and none may hold up usage. So entries need no group of readers, several
drains may read the same ones (a refusal is stored once), and what can never be stored is forgotten. So is most of a
flood that goes on and on.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterable
from typing import Any

import msgspec
import psycopg
import redis
import structlog
from psycopg import sql
from redis.cluster import RedisCluster

from gateway.ids import derived_id
from gateway.metering import partitions, refusal
from gateway.metering.allowance import Allowance
from gateway.metering.refusal import LimitRefusal
from gateway.shards import SHARDS, refusals_stream

TABLE = "limit_block"
KEPT = datetime.timedelta(days=7)
BATCH = 1_000  # entries of a shard in one step
BUDGET = 0.05  # seconds, after which a step takes no further shard

# What is kept of one key and of one organization: at once, and per second when it goes on. A key that never
# waits then costs 230 MB a day, at half a kilobyte a row.
OF_A_KEY = (5_000, 5.0)
OF_AN_ORGANIZATION = (20_000, 20.0)

# A refusal with another time than about now is none of ours, and would make a partition of its own.
NEWEST = datetime.timedelta(days=1)
MOST = 2**53 - 1
LONGEST_WAIT_MS = 366 * 86_400_000  # so that dates can be told of it

log = structlog.get_logger(__name__)


class LimitBlockRow(msgspec.Struct, frozen=True):
    """The columns of `limit_block`, by name."""

    day: datetime.date
    id: str
    at: datetime.datetime
    request_id: str
    organization_id: str
    workspace_id: str
    api_key_id: str
    model: str
    endpoint: str
    kind: str
    scope_type: str
    scope_id: str
    pool: str
    limiter: str
    limit_value: int
    needed: int
    remaining: int
    retry_after_ms: int | None
    spend_limit_id: str


_COLUMNS = ", ".join(LimitBlockRow.__struct_fields__)

# In the order of the key, so that two drains that meet the same rows do not deadlock.
_INSERT = sql.SQL(
    f"INSERT INTO {TABLE} ({_COLUMNS})"
    f" SELECT {_COLUMNS} FROM json_populate_recordset(NULL::{TABLE}, %s::json)"
    " ORDER BY day, id ON CONFLICT (day, id) DO NOTHING"
)


class Refusals:
    """The streams of all shards. `step` wants to be called at most about once a second."""

    def __init__(self, valkey: redis.Redis | RedisCluster) -> None:
        self._valkey = valkey
        self._next_shard = 0
        self._of_keys = Allowance(*OF_A_KEY)
        self._of_organizations = Allowance(*OF_AN_ORGANIZATION)

    def step(self, connection: psycopg.Connection) -> int:
        """Store what waits, in each shard up to `BATCH` entries; returns how many rows are new.

        Shards for which the time is up come first in the next step. Raises `redis.RedisError` or `psycopg.Error`;
        what was not stored then still waits.
        """
        stored, until = 0, time.monotonic() + BUDGET
        for _ in range(SHARDS):
            stored += self._step(connection, self._next_shard)
            self._next_shard = (self._next_shard + 1) % SHARDS
            if time.monotonic() >= until:
                break
        return stored

    def _step(self, connection: psycopg.Connection, shard: int) -> int:
        stream = refusals_stream(shard)
        entries: Any = self._valkey.xrange(stream, count=BATCH)
        if not entries:
            return 0
        stored = _store(connection, self._thinned(_rows(fields for _, fields in entries)))
        self._valkey.xdel(stream, *(entry_id for entry_id, _ in entries))
        return stored

    def _thinned(self, rows: list[LimitBlockRow]) -> list[LimitBlockRow]:
        now = time.monotonic()
        kept = [row for row in rows if self._may_keep(row, now)]
        if len(kept) < len(rows):
            log.info("refusals_thinned", refusals=len(rows) - len(kept))
        return kept

    def _may_keep(self, row: LimitBlockRow, now: float) -> bool:
        """A key that has none left takes nothing from the others of its organization."""
        holder = (row.organization_id, row.api_key_id)
        return self._of_keys.take(holder, now) and self._of_organizations.take(row.organization_id, now)


def first_day_kept(today: datetime.date) -> datetime.date:
    return today - KEPT


def row_from_refusal(refused: LimitRefusal, now: datetime.datetime) -> LimitBlockRow:
    """Texts are cut to their columns. Raises `ValueError` for what is too old to be kept, or cannot be."""
    at = _when(refused.at, now)
    if max(map(abs, (refused.limit, refused.needed, refused.remaining))) > MOST:
        raise ValueError("a number is beyond reason")
    return LimitBlockRow(
        day=at.date(),
        id=_id(refused),
        at=at,
        request_id=_cut(refused.request_id, 64),
        organization_id=str(refused.organization_id),
        workspace_id=_cut(refused.workspace_id, 40),
        api_key_id=_cut(refused.api_key_id, 40),
        model=_cut(refused.model, 200),
        endpoint=_cut(refused.endpoint, 32),
        kind=refused.kind,
        scope_type=refused.scope,
        scope_id=_cut(refused.scope_id, 40),
        pool=_cut(refused.pool, 200),
        limiter=_cut(refused.limiter, 64),
        limit_value=refused.limit,
        needed=refused.needed,
        remaining=refused.remaining,
        retry_after_ms=_wait(refused.retry_after_ms),
        spend_limit_id=_cut(refused.spend_limit_id, 40),
    )


def _rows(entries: Iterable[dict[bytes, bytes]]) -> list[LimitBlockRow]:
    rows: list[LimitBlockRow] = []
    problems: list[str] = []
    now = datetime.datetime.now(datetime.UTC)
    for fields in entries:
        try:
            refused = refusal.decode(fields.get(refusal.FIELD.encode(), b""))
            rows.append(row_from_refusal(refused, now))
        except ValueError as problem:  # msgspec's and those of bytes that are no text are such, too
            problems.append(str(problem))
    if problems:
        log.warning("refusals_forgotten", refusals=len(problems), first=problems[0])
    return rows


def _store(connection: psycopg.Connection, rows: list[LimitBlockRow]) -> int:
    if not rows:
        return 0
    try:
        with connection.transaction(), connection.cursor() as cursor:
            partitions.ensure(cursor, {row.day for row in rows}, TABLE)
            cursor.execute(_INSERT, [msgspec.json.encode(rows).decode()])
            return cursor.rowcount
    except psycopg.DataError as problem:  # else the drain would meet it again and again
        log.error("refusals_forgotten", refusals=len(rows), first=type(problem).__name__)
        return 0


def _when(milliseconds: int, now: datetime.datetime) -> datetime.datetime:
    earliest = datetime.datetime.combine(first_day_kept(now.date()), datetime.time(), datetime.UTC)
    if not earliest.timestamp() <= milliseconds / 1000 < (now + NEWEST).timestamp():
        raise ValueError("too far from today")
    return datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.UTC)


def _wait(milliseconds: int | None) -> int | None:
    return None if milliseconds is None else max(0, min(milliseconds, LONGEST_WAIT_MS))


def _id(refused: LimitRefusal) -> str:
    """The same for the same refusal, however often it comes; a request may meet several limits."""
    met = (refused.kind, refused.scope, refused.scope_id, refused.pool, refused.limiter)
    return derived_id("lblk", str(refused.organization_id), refused.request_id, *met)


def _cut(text: str, width: int) -> str:
    """A long text, or a NUL, must not cost us the others."""
    return text[:width].replace("\0", "\ufffd")
