"""Daily partitions of a table, such as `usage_event_YYYYMMDD`: made when needed and ahead, dropped in the end."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import Any, Protocol

DAYS_AHEAD = 3

# Any number will do, as long as nothing else in the database takes it.
_LOCK = 7_205_011_601

# By name in pg_class and not through to_regclass, which may answer from what this transaction learnt before it
# waited for the lock: a partition that was made meanwhile would be made again.
_MISSING = """
SELECT day FROM unnest(%s::date[]) AS day
WHERE NOT EXISTS (
    SELECT FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
    WHERE inhparent = %s::regclass
      AND relname = %s || to_char(day, '"_"YYYYMMDD')
)
ORDER BY day
"""

_OLD = """
SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
WHERE inhparent = %s::regclass AND relname < %s
ORDER BY relname
"""


class Cursor(Protocol):
    """What psycopg's cursor and Django's have in common."""

    def execute(self, query: Any, params: Any = None, /) -> Any: ...

    def fetchall(self) -> list[Any]: ...


def ensure(cursor: Cursor, days: Iterable[datetime.date], table: str = "usage_event") -> list[datetime.date]:
    """Make the partitions that are missing, inside the caller's transaction; returns their days.

    Several processes may do this at once: the lock lets one make them, and the others then see them.
    """
    wanted = sorted(set(days))
    if not _missing(cursor, wanted, table):
        return []
    cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    made = _missing(cursor, wanted, table)
    for day in made:
        _make(cursor, day, table)
    return made


def days_ahead(today: datetime.date) -> list[datetime.date]:
    """Today and the days that should already have their partitions."""
    return [today + datetime.timedelta(days=n) for n in range(DAYS_AHEAD + 1)]


def drop(cursor: Cursor, before: datetime.date, table: str) -> list[str]:
    """Drop the partitions of earlier days, inside the caller's transaction; returns their names.

    It waits for those who read the table, and others then wait for it: give up soon, and try again later.
    """
    cursor.execute("SET LOCAL lock_timeout = '1s'")
    cursor.execute(_OLD, [table, f"{table}_{before:%Y%m%d}"])
    old = [name for (name,) in cursor.fetchall()]
    for name in old:
        cursor.execute(f"DROP TABLE {name}")
    return old


def _missing(cursor: Cursor, days: list[datetime.date], table: str) -> list[datetime.date]:
    cursor.execute(_MISSING, [days, table, table])
    return [day for (day,) in cursor.fetchall()]


def _make(cursor: Cursor, day: datetime.date, table: str) -> None:
    """LIKE and ATTACH, not PARTITION OF: attaching keeps no writer or reader of the ledger waiting."""
    name = f"{table}_{day:%Y%m%d}"
    cursor.execute(f"CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)")
    cursor.execute(
        f"ALTER TABLE {table} ATTACH PARTITION {name}"
        f" FOR VALUES FROM ('{day.isoformat()}') TO ('{(day + datetime.timedelta(days=1)).isoformat()}')"
    )
