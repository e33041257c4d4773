"""The rows of batches that a provider carries whole. Whoever changes one holds its lease, the id of its runner.

Before a batch is sent, `forwarded_at` says so; when the provider has it, `upstream_id` does, and its items are
`FORWARDED` until their results have come home.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, LiteralString

import msgspec

from gateway.batch_states import ItemState
from gateway.batches.queue import COUNT, MARKED_AT_ONCE
from gateway.batches.store import BatchStore, Connection, Row

# Items are sought by arrays of numbers, not by joins: of a batch that came since it analyzed the table PostgreSQL
# expects a row or two, and would read the whole batch for each item.

PAGE_ITEMS = 200
PAGE_BYTES = 8 << 20

# While a batch is cancelled nobody waits longer than this; one that is to be looked at later was cancelled since.
CANCELING_SECONDS = 5.0

_DUE: LiteralString = """
    passage = 'native' AND status <> 'ended'
    AND (next_look_at IS NULL OR next_look_at <= now() + make_interval(secs => %(ahead)s)
         OR status = 'canceling' AND next_look_at > now() + make_interval(secs => %(canceling)s))
"""
_LEASE: LiteralString = f"""
WITH due AS (
    SELECT id FROM message_batch WHERE {_DUE} AND lease IS NULL
     ORDER BY next_look_at NULLS FIRST, created_at LIMIT %(most)s FOR UPDATE SKIP LOCKED
)
UPDATE message_batch b SET lease = %(runner)s FROM due d WHERE b.id = d.id
RETURNING b.*, now() AS now
"""
_ANY_DUE: LiteralString = f"SELECT EXISTS (SELECT FROM message_batch WHERE {_DUE}) AS due"
_LET_GO: LiteralString = """
UPDATE message_batch SET lease = NULL, next_look_at = now() + make_interval(secs => %s) WHERE id = %s AND lease = %s
"""
_LET_GO_OF_OTHERS: LiteralString = """
UPDATE message_batch SET lease = NULL, next_look_at = now() + make_interval(secs => %s)
 WHERE status <> 'ended' AND lease = %s AND NOT id = ANY(%s)
"""
_WAITING: LiteralString = """
WITH picked AS (
    SELECT number, octet_length(params) AS size FROM message_batch_item
     WHERE batch_id = %(batch)s AND state = 0 AND number > %(after)s ORDER BY number LIMIT %(most)s
), fitting AS (
    SELECT number FROM (SELECT number, sum(size) OVER (ORDER BY number) - size AS before FROM picked) AS sized
     WHERE before < %(bytes)s
)
SELECT number, custom_id, params FROM message_batch_item
 WHERE batch_id = %(batch)s AND number = ANY(ARRAY(SELECT number FROM fitting)) ORDER BY number
"""
_ONE_AT_A_TIME: LiteralString = (
    "SELECT pg_advisory_xact_lock(hashtextextended('native batches of ' || %s::text, 0))"
)
# Of two that were sent and of which nothing is known nobody could tell which of a provider's batches is which, if they
# have as many requests.
_BEGIN: LiteralString = """
UPDATE message_batch b SET forwarded_at = now(), provider = %(provider)s, provider_key = %(key)s
 WHERE id = %(batch)s AND lease = %(runner)s AND status = 'in_progress' AND expires_at > now()
   AND NOT EXISTS (
       SELECT FROM message_batch o
        WHERE o.passage = 'native' AND o.status <> 'ended' AND o.forwarded_at IS NOT NULL AND o.upstream_id = ''
          AND o.provider = %(provider)s AND o.id <> b.id
          AND o.total - o.succeeded - o.errored - o.canceled - o.expired = %(count)s)
RETURNING id
"""
_NOT_SENT: LiteralString = (
    "UPDATE message_batch SET forwarded_at = NULL WHERE id = %s AND lease = %s AND upstream_id = ''"
)
_ACCEPTED: LiteralString = """
WITH accepted AS (
    UPDATE message_batch SET upstream_id = %(upstream)s WHERE id = %(batch)s AND lease = %(runner)s AND upstream_id = ''
    RETURNING id
)
UPDATE message_batch_item i SET state = 2, tries = i.tries + 1
  FROM accepted a WHERE i.batch_id = a.id AND i.state = 0
"""
_EMULATE: LiteralString = """
WITH batch AS (
    UPDATE message_batch
       SET passage = 'emulated', provider = '', provider_key = '', upstream_id = '', forwarded_at = NULL,
           next_look_at = NULL, lease = NULL
     WHERE id = %s AND lease = %s AND status <> 'ended'
    RETURNING id
)
UPDATE message_batch_item i SET state = 0, tries = i.tries - 1 FROM batch b WHERE i.batch_id = b.id AND i.state = 2
"""
_KNOWN: LiteralString = "SELECT upstream_id FROM message_batch WHERE provider = %s AND upstream_id = ANY(%s)"
_FORWARDED: LiteralString = """
SELECT number, custom_id, CASE WHEN %(whole)s THEN params END AS params FROM message_batch_item
 WHERE batch_id = %(batch)s AND state = 2 AND number = ANY(%(numbers)s)
"""
_LEFT: LiteralString = """
SELECT number, custom_id FROM message_batch_item
 WHERE batch_id = %s AND number > %s AND state = 2 ORDER BY number LIMIT %s
"""
_STORE: LiteralString = """
WITH given AS (
    SELECT * FROM unnest(%(numbers)s::int[], %(states)s::smallint[], %(results)b::bytea[]) AS g(number, state, result)
), stored AS (
    UPDATE message_batch_item i SET state = g.state, result = g.result FROM given g
     WHERE i.batch_id = %(batch)s AND i.number = g.number AND i.number = ANY(%(numbers)s::int[])
       AND i.state IN (0, 2) AND EXISTS (SELECT FROM message_batch WHERE id = %(batch)s AND lease = %(runner)s)
    RETURNING i.batch_id, i.state
), """
_END: LiteralString = """
WITH left_over AS (
    SELECT number FROM message_batch_item WHERE batch_id = %(batch)s AND state IN (0, 2)
       AND EXISTS (SELECT FROM message_batch WHERE id = %(batch)s AND lease = %(runner)s)
     ORDER BY number LIMIT %(most)s FOR UPDATE
), stored AS (
    UPDATE message_batch_item i
       SET state = %(state)s,
           result = convert_to('{"custom_id":"' || i.custom_id || '","result":{"type":"' || %(type)s || '"}}', 'UTF8')
     WHERE i.batch_id = %(batch)s AND i.number = ANY(ARRAY(SELECT number FROM left_over))
    RETURNING i.batch_id, i.state
), """


class Result(msgspec.Struct, frozen=True):
    """What an item ends with, and its line of results."""

    number: int
    state: ItemState
    line: bytes


class NativeRows:
    """Of one runner. Its methods raise `StoreUnavailable`."""

    def __init__(self, store: BatchStore, runner: int) -> None:
        self._store = store
        self._runner = runner

    # --- Which ones ---

    async def lease(self, most: int) -> list[Row]:
        """Batches that are to be looked at now, whole rows with the time of the database as `now`."""
        given = {"ahead": 0.0, "canceling": CANCELING_SECONDS + 1, "most": most, "runner": self._runner}
        async with self._store.connection() as connection:
            return await (await connection.execute(_LEASE, given)).fetchall()

    async def let_go(self, batch_id: str, seconds: float) -> None:
        """It is to be looked at again in `seconds`."""
        async with self._store.connection() as connection:
            await connection.execute(_LET_GO, [seconds, batch_id, self._runner])

    async def let_go_of_all_but(self, batch_ids: Collection[str], seconds: float) -> None:
        async with self._store.connection() as connection:
            await connection.execute(_LET_GO_OF_OTHERS, [seconds, self._runner, list(batch_ids)])

    # --- Sending ---

    async def waiting(self, batch_id: str, after: int) -> list[Row]:
        """The next items that are to be sent, of whatever size at least one: `number`, `custom_id`, `params`."""
        given = {"batch": batch_id, "after": after, "most": PAGE_ITEMS, "bytes": PAGE_BYTES}
        async with self._store.connection() as connection:
            return await (await connection.execute(_WAITING, given)).fetchall()

    async def begin(self, batch_id: str, count: int, *, provider: str, key: str) -> bool:
        """It is about to be sent, with so many requests; False where it may not be now, which passes or ends it."""
        given = {"batch": batch_id, "runner": self._runner, "provider": provider, "key": key, "count": count}
        async with self._store.connection(transaction=True) as connection:
            await connection.execute(_ONE_AT_A_TIME, [provider])
            row = await (await connection.execute(_BEGIN, given)).fetchone()
        return row is not None

    async def not_sent(self, batch_id: str) -> None:
        """The provider does not have it."""
        async with self._store.connection() as connection:
            await connection.execute(_NOT_SENT, [batch_id, self._runner])

    async def accepted(self, batch_id: str, upstream_id: str) -> None:
        given = {"batch": batch_id, "runner": self._runner, "upstream": upstream_id}
        async with self._store.connection() as connection:
            await connection.execute(_ACCEPTED, given)

    async def emulate(self, batch_id: str) -> None:
        """What has no result yet goes through the engine."""
        async with self._store.connection() as connection:
            await connection.execute(_EMULATE, [batch_id, self._runner])

    async def known(self, provider: str, upstream_ids: Iterable[str]) -> set[str]:
        """Those of a provider's batches that are batches of ours already."""
        async with self._store.connection() as connection:
            rows = await (await connection.execute(_KNOWN, [provider, list(upstream_ids)])).fetchall()
        return {row["upstream_id"] for row in rows}

    # --- Bringing home ---

    async def forwarded(self, batch_id: str, numbers: Sequence[int], *, whole: bool) -> dict[int, Row]:
        """Those of these items that have no result yet, by number; `whole` with their `params`."""
        given = {"batch": batch_id, "numbers": list(numbers), "whole": whole}
        async with self._store.connection() as connection:
            rows = await (await connection.execute(_FORWARDED, given)).fetchall()
        return {row["number"]: row for row in rows}

    async def left(self, batch_id: str, after: int) -> list[Row]:
        """The next ones that have no result yet."""
        async with self._store.connection() as connection:
            return await (await connection.execute(_LEFT, [batch_id, after, PAGE_ITEMS])).fetchall()

    async def store(self, batch_id: str, results: Sequence[Result]) -> None:
        """Each item keeps the first result that it gets."""
        if not results:
            return
        given = {
            "batch": batch_id,
            "runner": self._runner,
            "numbers": [one.number for one in results],
            "states": [int(one.state) for one in results],
            "results": [one.line for one in results],
        }
        async with self._store.connection() as connection:
            await connection.execute(_STORE + COUNT, given)

    async def end(self, batch_id: str, state: ItemState) -> None:
        """All that has no result ends as canceled or expired."""
        given: dict[str, Any] = {"batch": batch_id, "runner": self._runner, "most": MARKED_AT_ONCE}
        given |= {"state": int(state), "type": state.name.lower()}
        while True:
            async with self._store.connection() as connection:
                rows = await (await connection.execute(_END + COUNT, given)).fetchall()
            if sum(row["all_of_them"] for row in rows) < MARKED_AT_ONCE:
                return


async def any_due(connection: Connection, *, ahead: float) -> bool:
    """Whether any batch is to be looked at within so many seconds, by whomever."""
    given = {"ahead": ahead, "canceling": CANCELING_SECONDS + 1}
    row = await (await connection.execute(_ANY_DUE, given)).fetchone()
    return row is not None and bool(row["due"])
