"""Writes ledger rows and what they add to the rollups: one transaction, each attempt once.

An attempt may come again with better figures: one whose process died is closed as `unknown`, with what was
reserved for it, and what its provider says may still arrive. The better row then takes the other's place, here and
in every sum.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence

import msgspec
import psycopg
from psycopg import sql

from gateway.metering import key_uses, partitions, rollups, sessions
from gateway.metering.rows import LedgerRow
from gateway.metering.summary import NONE

# Whose figures are better. A row never gives way to one of its own rank.
RANK = {"unknown": 1, "estimated": 2, "reported": 3}
BEST = max(RANK, key=RANK.__getitem__)

NOWHERE: Mapping[uuid.UUID, str] = {}

_KEY = ("day", "attempt_id")
_COLUMNS = ", ".join(LedgerRow.__struct_fields__)
_CHANGED = [name for name in LedgerRow.__struct_fields__ if name not in _KEY]

# In the order of the key, so that two drains that meet the same rows do not deadlock. Rows travel as one JSON
# parameter: no temporary table, so that it works behind a pooler, and half the cost of arrays per column.
_INSERT = sql.SQL(
    f"INSERT INTO usage_event ({_COLUMNS})"
    f" SELECT {_COLUMNS} FROM json_populate_recordset(NULL::usage_event, %s::json)"
    " ORDER BY day, attempt_id"
    " ON CONFLICT (day, attempt_id) DO NOTHING RETURNING attempt_id"
)

# Locked in the same order, and after all inserts, which any other drain has behind it too when it comes here.
# By arrays and not by a join, which might be planned as a walk through the whole ledger.
_HELD = sql.SQL(
    "SELECT attempt_id, usage_source, row_to_json(usage_event)::text FROM usage_event"
    f" WHERE day = ANY(%s) AND attempt_id = ANY(%s) AND usage_source <> '{BEST}'"
    " ORDER BY day, attempt_id FOR UPDATE"
)

# Changed and not deleted and written anew: a drain that waits for the row goes on with what became of it.
_REPLACE = sql.SQL(
    f"UPDATE usage_event SET {', '.join(f'{name} = better.{name}' for name in _CHANGED)}"
    " FROM json_populate_recordset(NULL::usage_event, %s::json) AS better"
    " WHERE usage_event.day = better.day AND usage_event.attempt_id = better.attempt_id"
    " AND usage_event.day = ANY(%s) AND usage_event.attempt_id = ANY(%s)"
)


def record(
    connection: psycopg.Connection,
    rows: Sequence[LedgerRow],
    addresses: Mapping[uuid.UUID, str] = NOWHERE,
) -> int:
    """Commit the rows that the ledger does not hold yet, or only with worse figures; returns how many were new.

    `addresses` are those that attempts came from, by their ids, as far as they are known.

    When it returns, every attempt among `rows` is in the ledger, written now or before, and may be acknowledged.
    Raises `psycopg.Error`; nothing of the rows is then written.
    """
    once = _best(rows)
    with connection.transaction(), connection.cursor() as cursor:
        partitions.ensure(cursor, (row.day for row in once))
        new = _insert(cursor, once)
        better, replaced = _supersede(cursor, _perhaps_better(once, new))
        _count(cursor, [*new, *better], replaced)
        if new:
            key_uses.note(cursor, new, addresses)
    return len(new)


def _best(rows: Iterable[LedgerRow]) -> list[LedgerRow]:
    """One row of each attempt: the best, of equals the first."""
    best: dict[object, LedgerRow] = {}
    for row in rows:
        held = best.setdefault(row.attempt_id, row)
        if held is not row and _rank(row.usage_source) > _rank(held.usage_source):
            best[row.attempt_id] = row
    return list(best.values())


def _rank(usage_source: str) -> int:
    return RANK.get(usage_source, 0)


def _insert(cursor: psycopg.Cursor, rows: list[LedgerRow]) -> list[LedgerRow]:
    cursor.execute(_INSERT, [_json(rows)])
    inserted = {attempt_id for (attempt_id,) in cursor}
    return rows if len(inserted) == len(rows) else [row for row in rows if row.attempt_id in inserted]


def _perhaps_better(rows: list[LedgerRow], new: list[LedgerRow]) -> list[LedgerRow]:
    """Of those that the ledger held before, whose figures could be better than any."""
    if len(new) == len(rows):
        return []
    inserted = {row.attempt_id for row in new}
    worst = min(RANK.values())
    return [row for row in rows if row.attempt_id not in inserted and _rank(row.usage_source) > worst]


def _supersede(cursor: psycopg.Cursor, rows: list[LedgerRow]) -> tuple[list[LedgerRow], str]:
    """Put rows in the place of those that are worse. Returns them, and as JSON those that they replaced."""
    if not rows:
        return [], NONE
    cursor.execute(_HELD, _places(rows))
    held = {attempt_id: (_rank(usage_source), told) for attempt_id, usage_source, told in cursor}
    better = [
        row for row in rows if row.attempt_id in held and held[row.attempt_id][0] < _rank(row.usage_source)
    ]
    if better:
        cursor.execute(_REPLACE, [_json(better), *_places(better)])
    return better, f"[{','.join(held[row.attempt_id][1] for row in better)}]"


def _places(rows: list[LedgerRow]) -> list[object]:
    return [sorted({row.day for row in rows}), [row.attempt_id for row in rows]]


def _count(cursor: psycopg.Cursor, rows: list[LedgerRow], replaced: str) -> None:
    if not rows:
        return
    counted = _json(rows)
    rollups.add(cursor, counted, replaced)
    of_claude_code = [row for row in rows if row.user_agent.startswith(sessions.USER_AGENT)]
    if replaced != NONE:
        sessions.add(cursor, counted, replaced)
    elif of_claude_code:
        sessions.add(cursor, _json(of_claude_code))


def _json(rows: list[LedgerRow]) -> str:
    return msgspec.json.encode(rows).decode()
