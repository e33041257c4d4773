"""When each key was last used, by what and from where: one row per key, beside the ledger.

Written in the transaction that writes the events, and only ever moved forward: an event that comes late, or again,
changes nothing. Addresses are kept here and nowhere else, the last one of each key.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping

import msgspec
import psycopg
from psycopg import sql

from gateway.metering.rows import LedgerRow

LONGEST_ADDRESS = 45  # of IPv6 with an IPv4 tail

# In the order of the key, so that two drains that meet the same keys do not deadlock.
_NOTE = sql.SQL(
    "INSERT INTO api_key_use AS held (api_key_id, organization_id, at, user_agent, address)"
    " SELECT api_key_id, organization_id, at, user_agent, address"
    " FROM json_populate_recordset(NULL::api_key_use, %s::json) ORDER BY api_key_id"
    " ON CONFLICT (api_key_id) DO UPDATE"
    " SET at = excluded.at, user_agent = excluded.user_agent, address = excluded.address"
    " WHERE held.at < excluded.at"
)


def note(cursor: psycopg.Cursor, rows: Iterable[LedgerRow], addresses: Mapping[uuid.UUID, str]) -> None:
    """`addresses` tells of attempts where their callers were; of those that it does not name nobody knows."""
    latest: dict[str, LedgerRow] = {}
    for row in rows:
        held = latest.setdefault(row.api_key_id, row)
        if held.at < row.at:
            latest[row.api_key_id] = row
    uses = [_use(row, addresses.get(row.attempt_id, "")) for row in latest.values()]
    cursor.execute(_NOTE, [msgspec.json.encode(uses).decode()])


def _use(row: LedgerRow, address: str) -> dict[str, object]:
    return {
        "api_key_id": row.api_key_id,
        "organization_id": row.organization_id,
        "at": row.at,
        "user_agent": row.user_agent,
        "address": address[:LONGEST_ADDRESS].replace("\0", "\ufffd"),
    }
