"""What was spent under a budget, as the ledger has it: from the sums of days, which windows begin and end with.

Every function takes a connection in a transaction of one snapshot (`DirectoryStore.snapshot`), so that several agree.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Collection
from decimal import Decimal
from typing import Any, LiteralString

import psycopg

from gateway.budgets import CREDIT, DAY_MS, Counter
from gateway.price import Rates, rates_of

Connection = psycopg.AsyncConnection[dict[str, Any]]

_HOLDS: dict[str, LiteralString] = {
    "organization": "%(scope_id)s <> ''",
    "workspace": "workspace_id = %(scope_id)s",
    "api_key": "api_key_id = %(scope_id)s",
    "user": "api_key_id IN (SELECT id FROM gateway_apikey"
    " WHERE organization_id = %(organization_id)s AND user_id = %(scope_id)s)",
}

_DAYS: LiteralString = """
SELECT coalesce(sum(cost), 0) AS cost FROM usage_day
 WHERE organization_id = %(organization_id)s AND bucket >= %(from)s AND bucket < %(to)s AND
"""

# Credit begins at any moment: the rest of its first day is in the minutes.
_MINUTES: LiteralString = """
SELECT coalesce(sum(cost), 0) AS cost FROM usage_minute
 WHERE organization_id = %(organization_id)s AND bucket >= date_trunc('minute', %(since)s) AND bucket < %(from)s AND
"""

_ATTEMPTS: LiteralString = """
SELECT coalesce(sum(cost), 0) AS cost FROM usage_event
 WHERE day = ANY(%(days)s) AND attempt_id = ANY(%(ids)s) AND organization_id = %(organization_id)s
   AND at >= date_trunc('minute', %(since)s) AND at < %(to)s AND
"""


async def spent(connection: Connection, counter: Counter) -> Decimal:
    """US dollars within the counter's window."""
    values = _values(counter)
    total = await _sum(connection, _DAYS + _HOLDS[counter.budget.scope], values)
    if counter.budget.period == CREDIT:
        total += await _sum(connection, _MINUTES + _HOLDS[counter.budget.scope], values)
    return total


async def spent_by(
    connection: Connection, counter: Counter, attempts: dict[uuid.UUID, datetime.date]
) -> Decimal:
    """US dollars of these attempts (with their days), as far as the ledger has them and they count here."""
    if not attempts:
        return Decimal(0)
    values = {**_values(counter), "ids": list(attempts), "days": sorted(set(attempts.values()))}
    return await _sum(connection, _ATTEMPTS + _HOLDS[counter.budget.scope], values)


async def keys_of(connection: Connection, organization_id: uuid.UUID, user_id: str) -> set[str]:
    """The keys that act for a member."""
    query = "SELECT id FROM gateway_apikey WHERE organization_id = %s AND user_id = %s"
    rows = await (await connection.execute(query, (organization_id, user_id))).fetchall()
    return {row["id"] for row in rows}


async def rates(connection: Connection, versions: Collection[int]) -> dict[int, Rates]:
    """Price versions by their ids."""
    if not versions:
        return {}
    query = "SELECT * FROM gateway_price WHERE id = ANY(%s)"
    rows = await (await connection.execute(query, (sorted(versions),))).fetchall()
    return {row["id"]: rates_of(row) for row in rows}


async def _sum(connection: Connection, query: LiteralString, values: dict[str, Any]) -> Decimal:
    row = await (await connection.execute(query, values)).fetchone()
    assert row is not None
    return Decimal(row["cost"])


def _values(counter: Counter) -> dict[str, Any]:
    """`from` is the first midnight in the window, `to` its end, or as good as never."""
    since = _time(counter.start_ms)
    first_day = _time(-(-counter.start_ms // DAY_MS) * DAY_MS)
    to = _time(counter.end_ms) if counter.end_ms else datetime.datetime(9999, 1, 1, tzinfo=datetime.UTC)
    return {
        "organization_id": counter.organization_id,
        "scope_id": counter.budget.scope_id,
        "since": since,
        "from": first_day,
        "to": to,
    }


def _time(ms: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(ms / 1000, datetime.UTC)
