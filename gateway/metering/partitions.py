"""Tables that are partitioned by day: `usage_event_YYYYMMDD` and its like, made ahead and dropped when old.

A table of this kind has a column `day` and is partitioned by its range. To add one: make the table in a migration,
name it in `DAYS_KEPT` of `metering/tasks.py`, and hand its name to `ensure` where rows are written.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import Any, Protocol

import psycopg

EVENTS = "usage_event"
DAYS_AHEAD = 3

# Any number will do, as long as nothing else in the database takes it.
_LOCK = 7_205_011_601

# By name in pg_class and not through to_regclass, which may answer from what this transaction learnt before it
# waited for the lock: a partition that was made meanwhile would be made again.
_MISSING = """
SELECT day FROM unnest(%(days)s::date[]) AS day
WHERE NOT EXISTS (
    SELECT FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
    WHERE inhparent = %(table)s::regclass
      AND relname = %(table)s || '_' || to_char(day, 'YYYYMMDD')
)
ORDER BY day
"""

_EXISTING = """
SELECT to_date(right(relname, 8), 'YYYYMMDD') AS day
FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
WHERE inhparent = %(table)s::regclass
ORDER BY day
"""

_MOVE_HORIZON = """
INSERT INTO partition_horizon AS horizon (table_name, kept_from) VALUES (%s, %s)
ON CONFLICT (table_name) DO UPDATE SET kept_from = greatest(horizon.kept_from, excluded.kept_from)
"""


class Cursor(Protocol):
    """What psycopg's cursor and Django's have in common."""

    def execute(self, query: Any, params: Any = None, /) -> Any: ...

    def fetchall(self) -> list[Any]: ...


class PartitionDropped(psycopg.DataError):
    """The rows of this day were dropped for their age, and nobody knows any more whether one was among them."""


def ensure(cursor: Cursor, days: Iterable[datetime.date], table: str = EVENTS) -> list[datetime.date]:
    """Make the partitions that are missing, inside the caller's transaction; returns their days.

    Several processes may do this at once: the lock lets one make them, and the others then see them. Raises
    `PartitionDropped` for a day whose partition is gone for ever.
    """
    wanted = sorted(set(days))
    if not _missing(cursor, wanted, table):
        return []
    cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    made = _missing(cursor, wanted, table)
    if made and made[0] < (kept_from := horizon(cursor, table)):
        raise PartitionDropped(f"{table} of {made[0]} was dropped; it is kept from {kept_from} on")
    for day in made:
        _make(cursor, day, table)
    return made


def days_ahead(today: datetime.date) -> list[datetime.date]:
    """Today and the days that should already have their partitions."""
    return [today + datetime.timedelta(days=n) for n in range(DAYS_AHEAD + 1)]


def existing(cursor: Cursor, table: str = EVENTS) -> list[datetime.date]:
    """The days that have a partition, oldest first."""
    cursor.execute(_EXISTING, {"table": table})
    return [day for (day,) in cursor.fetchall()]


def horizon(cursor: Cursor, table: str = EVENTS) -> datetime.date:
    """The first day of which nothing was dropped yet; `date.min` while nothing was."""
    cursor.execute("SELECT kept_from FROM partition_horizon WHERE table_name = %s", [table])
    return next((kept_from for (kept_from,) in cursor.fetchall()), datetime.date.min)


def drop(cursor: Cursor, day: datetime.date, table: str = EVENTS, patience: str = "1s") -> None:
    """Drop a day's partition inside the caller's transaction, which should do nothing else.

    Dropping wants the table for itself for some milliseconds, and whoever comes meanwhile queues behind it: it gives
    up after `patience` (`psycopg.errors.LockNotAvailable`), so that a reader who takes his time keeps no writer
    waiting for longer than that.
    """
    cursor.execute("SELECT set_config('lock_timeout', %s, true)", [patience])
    cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    cursor.execute(_MOVE_HORIZON, [table, day + datetime.timedelta(days=1)])
    cursor.execute(f"DROP TABLE IF EXISTS {_name(day, table)}")


def keep(cursor: Cursor, day: datetime.date, table: str = EVENTS) -> None:
    """Let nobody drop a day's partition before this transaction ends.

    Raises `psycopg.errors.UndefinedTable` where there is none.
    """
    cursor.execute(f"LOCK TABLE {_name(day, table)} IN ACCESS SHARE MODE")


def _missing(cursor: Cursor, days: list[datetime.date], table: str) -> list[datetime.date]:
    cursor.execute(_MISSING, {"days": days, "table": table})
    return [day for (day,) in cursor.fetchall()]


def _make(cursor: Cursor, day: datetime.date, table: str) -> None:
    """LIKE and ATTACH, not PARTITION OF: attaching keeps no writer or reader of the table waiting."""
    name = _name(day, table)
    cursor.execute(f"CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)")
    cursor.execute(
        f"ALTER TABLE {table} ATTACH PARTITION {name}"
        f" FOR VALUES FROM ('{day.isoformat()}') TO ('{(day + datetime.timedelta(days=1)).isoformat()}')"
    )


def _name(day: datetime.date, table: str) -> str:
    return f"{table}_{day:%Y%m%d}"
