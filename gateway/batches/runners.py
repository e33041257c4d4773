"""Runners: the processes that work on batches. Each is a row, its id the fencing token of all that it leases.

A runner says every few seconds that it lives. One that was not seen for `DEAD_AFTER_SECONDS` is dead, unless
PostgreSQL was away in that time; one whose journal's lock nobody of the same data folder holds any more is dead at
once. What it had leased goes back to the queue, and what it finishes all the same is refused.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import LiteralString

from gateway.batch_states import ItemState
from gateway.batches.store import Connection

SEEN_EVERY_SECONDS = 5.0
DEAD_AFTER_SECONDS = 30.0

_REGISTER: LiteralString = """
INSERT INTO message_batch_runner (started_at, seen_at, host, journal) VALUES (now(), now(), %s, %s) RETURNING id
"""
_SEEN: LiteralString = "UPDATE message_batch_runner SET seen_at = now() WHERE id = %s RETURNING id"

# After PostgreSQL itself was away, runners have as long as ever to say that they live.
_SILENT: LiteralString = """
SELECT id FROM message_batch_runner
 WHERE greatest(seen_at, pg_postmaster_start_time()) < now() - make_interval(secs => %s)
"""
_OF_HOST: LiteralString = "SELECT id, journal FROM message_batch_runner WHERE host = %s AND journal <> ''"

# What is leased is locked in one order by everybody, so that two who do this at once wait for each other.
_REMOVE: LiteralString = """
WITH leased AS (
    SELECT batch_id, number FROM message_batch_item WHERE state = %(running)s AND lease = ANY(%(runners)s)
     ORDER BY batch_id, number FOR UPDATE
), returned AS (
    UPDATE message_batch_item i SET state = %(pending)s, lease = NULL
      FROM leased l WHERE i.batch_id = l.batch_id AND i.number = l.number
    RETURNING i.number
), batches AS (
    UPDATE message_batch SET lease = NULL WHERE lease = ANY(%(runners)s)
), gone AS (
    DELETE FROM message_batch_runner WHERE id = ANY(%(runners)s)
)
SELECT count(*) AS items FROM returned
"""


async def register(connection: Connection, journal: str = "") -> int:
    """A new runner's id; `journal` names that of its process, where it has one."""
    row = await (await connection.execute(_REGISTER, [socket.gethostname(), journal])).fetchone()
    assert row is not None
    return int(row["id"])


async def seen(connection: Connection, runner: int) -> bool:
    """It lives. Whether others think so too: if not, nothing is leased to it any more."""
    return await (await connection.execute(_SEEN, [runner])).fetchone() is not None


async def silent(connection: Connection) -> list[int]:
    """Those that were not seen for too long."""
    rows = await (await connection.execute(_SILENT, [DEAD_AFTER_SECONDS])).fetchall()
    return [row["id"] for row in rows]


async def of_this_host(connection: Connection) -> dict[int, str]:
    """By their ids, the journals of runners that say that they are of this host."""
    rows = await (await connection.execute(_OF_HOST, [socket.gethostname()])).fetchall()
    return {row["id"]: row["journal"] for row in rows}


async def remove(connection: Connection, runners: Sequence[int]) -> int:
    """They are gone: everything that they had leased is free again. How many items that were."""
    states = {"running": ItemState.RUNNING, "pending": ItemState.PENDING}
    row = await (await connection.execute(_REMOVE, {**states, "runners": list(runners)})).fetchone()
    assert row is not None
    return int(row["items"])
