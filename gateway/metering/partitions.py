"""The daily partitions of `usage_event`: `usage_event_YYYYMMDD`, made when needed and some days ahead."""

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
    WHERE inhparent = 'usage_event'::regclass
      AND relname = 'usage_event_' || to_char(day, 'YYYYMMDD')
)
ORDER BY day
"""


class Cursor(Protocol):
    """What psycopg's cursor and Django's have in common."""

    def execute(self, query: Any, params: Any = None, /) -> Any: ...

    def fetchall(self) -> list[Any]: ...


def ensure(cursor: Cursor, days: Iterable[datetime.date]) -> list[datetime.date]:
    """Make the partitions that are missing, inside the caller's transaction; returns their days.

    Several processes may do this at once: the lock lets one make them, and the others then see them.
    """
    wanted = sorted(set(days))
    if not _missing(cursor, wanted):
        return []
    cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    made = _missing(cursor, wanted)
    for day in made:
        _make(cursor, day)
    return made


def days_ahead(today: datetime.date) -> list[datetime.date]:
    """Today and the days that should already have their partitions."""
    return [today + datetime.timedelta(days=n) for n in range(DAYS_AHEAD + 1)]


def _missing(cursor: Cursor, days: list[datetime.date]) -> list[datetime.date]:
    cursor.execute(_MISSING, [days])
    return [day for (day,) in cursor.fetchall()]


def _make(cursor: Cursor, day: datetime.date) -> None:
    """LIKE and ATTACH, not PARTITION OF: attaching keeps no writer or reader of the ledger waiting."""
    name = f"usage_event_{day:%Y%m%d}"
    cursor.execute(f"CREATE TABLE {name} (LIKE usage_event INCLUDING DEFAULTS INCLUDING CONSTRAINTS)")
    cursor.execute(
        f"ALTER TABLE usage_event ATTACH PARTITION {name}"
        f" FOR VALUES FROM ('{day.isoformat()}') TO ('{(day + datetime.timedelta(days=1)).isoformat()}')"
    )
