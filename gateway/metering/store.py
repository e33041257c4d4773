"""Writes ledger rows and what they add to the rollups: one transaction, each attempt once."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import psycopg
from psycopg import sql

from gateway.metering import partitions, rollups, sessions
from gateway.metering.rows import LedgerRow

_COLUMNS = ", ".join(LedgerRow.__struct_fields__)

# In the order of the key, so that two drains that meet the same rows do not deadlock. Rows travel as one JSON
# parameter: no temporary table, so that it works behind a pooler, and half the cost of arrays per column.
_INSERT = sql.SQL(
    f"INSERT INTO usage_event ({_COLUMNS})"
    f" SELECT {_COLUMNS} FROM json_populate_recordset(NULL::usage_event, %s::json)"
    " ORDER BY day, attempt_id"
    " ON CONFLICT (day, attempt_id) DO NOTHING RETURNING attempt_id"
)


def record(connection: psycopg.Connection, rows: Sequence[LedgerRow]) -> int:
    """Commit the rows that the ledger does not hold yet; returns how many that were.

    Raises `psycopg.Error`; nothing of the rows is then written.
    """
    once = list({row.attempt_id: row for row in reversed(rows)}.values())
    with connection.transaction(), connection.cursor() as cursor:
        partitions.ensure(cursor, (row.day for row in once))
        new = _insert(cursor, once)
        if new:
            rollups.add(cursor, _json(new))
        if of_claude_code := [row for row in new if row.user_agent.startswith(sessions.USER_AGENT)]:
            sessions.add(cursor, _json(of_claude_code))
    return len(new)


def _insert(cursor: psycopg.Cursor, rows: list[LedgerRow]) -> list[LedgerRow]:
    cursor.execute(_INSERT, [_json(rows)])
    inserted = {attempt_id for (attempt_id,) in cursor}
    return [row for row in rows if row.attempt_id in inserted]


def _json(rows: list[LedgerRow]) -> str:
    return msgspec.json.encode(rows).decode()
