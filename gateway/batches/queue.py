"""The queue of items: leased many at a time, and their results stored many at a time, one statement each.

Whoever leases gives its fencing token, the id of its runner. What was leased to somebody else meanwhile is not stored
again, so that every item has exactly one result. A batch's counts change in the statement that stores results, and
with the last of them it has ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import LiteralString

import msgspec

from gateway.batch_states import ItemState
from gateway.batches.store import Connection, Row

MOST_TRIES = 3
MARKED_AT_ONCE = 5_000

# Of each organization the oldest few that have anything to send now: the others wait for those anyway.
BATCHES_OF_ONE = 8

_OPEN: LiteralString = """
SELECT id, organization_id, workspace_id, api_key_id, version, relayed, query, user_agent, passage,
       model_names, total, expires_at,
       EXISTS (SELECT 1 FROM message_batch_item i WHERE i.batch_id = waiting.id AND i.state = 0 AND i.tries > 0
                                                    AND i.not_before IS NULL) AS survivors
  FROM (SELECT b.*, row_number() OVER (PARTITION BY b.organization_id ORDER BY b.created_at, b.id) AS place
          FROM message_batch b
         WHERE b.status = 'in_progress' AND b.passage <> 'native' AND b.expires_at > now()
           AND EXISTS (SELECT 1 FROM message_batch_item i WHERE i.batch_id = b.id AND i.state = 0
                                                           AND (i.not_before IS NULL OR i.not_before <= now()))
       ) AS waiting
 WHERE place <= %(most)s
 ORDER BY place, created_at, id
"""

# Whether anything may yet have to be done here: an item that waits, now or later, or a batch that has to end.
_WAITS: LiteralString = """
SELECT EXISTS (SELECT 1 FROM message_batch b
                WHERE b.status <> 'ended' AND b.passage <> 'native'
                  AND EXISTS (SELECT 1 FROM message_batch_item i WHERE i.batch_id = b.id AND i.state = 0)) AS waits
"""

# Sizes are read without the bytes themselves, and items are sought by an array: of a batch that came since it analyzed
# the table PostgreSQL expects a row or two, and in a join would read the whole batch for each item. Who cancels
# meanwhile is heard of by the runner within a second.
_PICK: LiteralString = """
    SELECT number, octet_length(params) AS size FROM message_batch_item
     WHERE batch_id = %(batch)s AND state = 0 AND (not_before IS NULL OR not_before <= now())
       AND EXISTS (SELECT 1 FROM message_batch
                    WHERE id = %(batch)s AND status = 'in_progress' AND passage = 'emulated' AND expires_at > now())
       AND """
_TAKE: LiteralString = """, fitting AS (
    SELECT number FROM (SELECT number, sum(size) OVER (ORDER BY number) - size AS before FROM picked) AS sized
     WHERE before < %(bytes)s
)
UPDATE message_batch_item i SET state = 1, lease = %(runner)s, tries = i.tries + 1
 WHERE i.batch_id = %(batch)s AND i.number = ANY(ARRAY(SELECT number FROM fitting))
RETURNING i.batch_id, i.number, i.custom_id, i.params, i.tries
"""
_NEXT: LiteralString = " ORDER BY number LIMIT %(most)s FOR UPDATE SKIP LOCKED"
# Whoever had them has died, and one of them may be what it died of. What has been tried often enough is not sent.
_SURVIVED: LiteralString = "tries > 0 AND not_before IS NULL"
_LEASE: LiteralString = (
    f"WITH picked AS ({_PICK} (NOT ({_SURVIVED}) OR tries >= {MOST_TRIES}) {_NEXT}) {_TAKE}"
)
_LEASE_AGAIN: LiteralString = f"WITH picked AS ({_PICK} {_SURVIVED} AND tries = %(tries)s {_NEXT}) {_TAKE}"

# `given` back or done; what this runner does not hold any more is passed over. Batches are locked in one order.
_STORE: LiteralString = """
WITH given AS (
    SELECT * FROM unnest(%(batches)s::text[], %(numbers)s::int[], %(tries)s::smallint[], %(states)s::smallint[],
                         %(results)b::bytea[], %(waits)s::float8[], %(unsent)s::smallint[])
                  AS g(batch_id, number, tries, state, result, wait, unsent)
), stored AS (
    UPDATE message_batch_item i
       SET state = g.state, result = g.result, lease = NULL, tries = i.tries - g.unsent,
           not_before = CASE WHEN g.state = 0 THEN now() + make_interval(secs => g.wait) END
      FROM given g
     WHERE i.batch_id = g.batch_id AND i.number = g.number AND i.state = 1 AND i.lease = %(runner)s
       AND i.tries = g.tries
    RETURNING i.batch_id, i.state
), """
# Behind a CTE `stored` of the final states that items have got: their batches count them, and end with the last one.
COUNT: LiteralString = """sums AS (
    SELECT batch_id, count(*) FILTER (WHERE state = 3) AS succeeded, count(*) FILTER (WHERE state = 4) AS errored,
           count(*) FILTER (WHERE state = 5) AS canceled, count(*) FILTER (WHERE state = 6) AS expired,
           count(*) AS all_of_them
      FROM stored GROUP BY batch_id
), locked AS (
    SELECT id, succeeded + errored + canceled + expired AS done FROM message_batch
     WHERE id IN (SELECT batch_id FROM sums) ORDER BY id FOR UPDATE
)
UPDATE message_batch b
   SET succeeded = b.succeeded + s.succeeded, errored = b.errored + s.errored,
       canceled = b.canceled + s.canceled, expired = b.expired + s.expired,
       status = CASE WHEN l.done + s.succeeded + s.errored + s.canceled + s.expired >= b.total THEN 'ended'
                     ELSE b.status END,
       ended_at = CASE WHEN l.done + s.succeeded + s.errored + s.canceled + s.expired >= b.total THEN now() END
  FROM sums s JOIN locked l ON l.id = s.batch_id
 WHERE b.id = s.batch_id
RETURNING b.id, b.status, s.all_of_them
"""

# What is not sent yet of batches that were cancelled or have expired; those of a provider's own are its affair.
_MARK: LiteralString = """
WITH over AS (
    SELECT id, CASE WHEN status = 'canceling' THEN 5 ELSE 6 END AS state,
           CASE WHEN status = 'canceling' THEN 'canceled' ELSE 'expired' END AS type
      FROM message_batch
     WHERE passage <> 'native' AND (status = 'canceling' OR status = 'in_progress' AND expires_at <= now())
), unsent AS (
    SELECT i.batch_id, i.number, o.state, o.type
      FROM over o JOIN message_batch_item i ON i.batch_id = o.id AND i.state = 0
     LIMIT %(most)s FOR UPDATE OF i SKIP LOCKED
), stored AS (
    UPDATE message_batch_item i
       SET state = u.state,
           result = convert_to('{"custom_id":"' || i.custom_id || '","result":{"type":"' || u.type || '"}}', 'UTF8')
      FROM unsent u
     WHERE i.batch_id = u.batch_id AND i.number = u.number
    RETURNING i.batch_id, i.state
), """


class Item(msgspec.Struct, frozen=True):
    """A leased item; `tries` counts this one."""

    batch_id: str
    number: int
    custom_id: str
    params: bytes
    tries: int


class Outcome(msgspec.Struct, frozen=True):
    """What became of a leased item: its final state and line of results, or `PENDING` again in `wait` seconds.

    What is given back `unsent` was not tried.
    """

    item: Item
    state: ItemState
    line: bytes = b""
    wait: float = 0.0
    unsent: bool = False


async def waiting_batches(connection: Connection) -> list[Row]:
    """Those that have items to send now, fairly mixed: first each organization's oldest one, then the second ones."""
    return await (await connection.execute(_OPEN, {"most": BATCHES_OF_ONE})).fetchall()


async def decided(connection: Connection, batch_id: str, passage: str, provider: str = "") -> None:
    """How a batch is carried, unless that was decided already."""
    await connection.execute(
        "UPDATE message_batch SET passage = %s, provider = %s WHERE id = %s AND passage = ''",
        [passage, provider, batch_id],
    )


async def anything_waits(connection: Connection) -> bool:
    row = await (await connection.execute(_WAITS)).fetchone()
    return row is not None and bool(row["waits"])


async def lease(connection: Connection, runner: int, batch_id: str, *, most: int, bytes_: int) -> list[Item]:
    """The next items of a batch, no more than `most` and not many more bytes than `bytes_`, in their order.

    Those that a runner had when it died are left out.
    """
    return await _leased(connection, _LEASE, batch=batch_id, most=most, bytes=bytes_, runner=runner)


async def lease_again(
    connection: Connection, runner: int, batch_id: str, *, tries: int, most: int, bytes_: int
) -> list[Item]:
    """The same of those that a runner had when it died, and that were tried so often."""
    return await _leased(
        connection, _LEASE_AGAIN, batch=batch_id, tries=tries, most=most, bytes=bytes_, runner=runner
    )


async def _leased(connection: Connection, query: LiteralString, **given: object) -> list[Item]:
    rows = await (await connection.execute(query, given)).fetchall()
    items = [
        Item(row["batch_id"], row["number"], row["custom_id"], bytes(row["params"]), row["tries"])
        for row in rows
    ]
    return sorted(items, key=lambda item: item.number)


async def store(connection: Connection, runner: int, outcomes: Sequence[Outcome]) -> list[str]:
    """Store them where the runner still holds their leases; the batches that have ended with that."""
    given = {
        "batches": [one.item.batch_id for one in outcomes],
        "numbers": [one.item.number for one in outcomes],
        "tries": [one.item.tries for one in outcomes],
        "states": [int(one.state) for one in outcomes],
        "results": [one.line or None for one in outcomes],
        "waits": [one.wait for one in outcomes],
        "unsent": [int(one.unsent) for one in outcomes],
        "runner": runner,
    }
    rows = await (await connection.execute(_STORE + COUNT, given)).fetchall()
    return [row["id"] for row in rows if row["status"] == "ended"]


async def mark_unsent(connection: Connection) -> int:
    """Give their results to items that nobody will send: of cancelled batches, and of expired ones. How many."""
    marked = 0
    while True:
        rows = await (await connection.execute(_MARK + COUNT, {"most": MARKED_AT_ONCE})).fetchall()
        now = sum(row["all_of_them"] for row in rows)
        marked += now
        if now < MARKED_AT_ONCE:
            return marked


async def statuses(connection: Connection, batch_ids: Sequence[str]) -> dict[str, str]:
    """`in_progress`, `canceling`, `expired` (what was in progress for too long) or `ended`, by the ids of batches."""
    rows = await (
        await connection.execute(
            """SELECT id, CASE WHEN status = 'in_progress' AND expires_at <= now() THEN 'expired' ELSE status END
                      AS status FROM message_batch WHERE id = ANY(%s)""",
            [list(batch_ids)],
        )
    ).fetchall()
    return {row["id"]: row["status"] for row in rows}
