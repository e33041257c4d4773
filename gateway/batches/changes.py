"""What an owner does to a batch: cancel it, and delete it once it has ended."""

from __future__ import annotations

from typing import LiteralString

from gateway.batches.batch import COLUMNS, ENDED
from gateway.batches.reading import Shelf, one
from gateway.batches.store import Connection, Row
from gateway.errors import InvalidRequest

_COLUMNS: LiteralString = COLUMNS

# What nobody has sent yet gets its result from a runner, within seconds (`queue.mark_unsent`).
_CANCEL: LiteralString = f"""
UPDATE message_batch SET status = 'canceling', cancel_initiated_at = coalesce(cancel_initiated_at, now())
 WHERE id = %(id)s AND organization_id = %(organization)s AND workspace_id = %(workspace)s AND status <> 'ended'
RETURNING {_COLUMNS}
"""
_DELETE: LiteralString = """
DELETE FROM message_batch
 WHERE id = %(id)s AND organization_id = %(organization)s AND workspace_id = %(workspace)s AND status = 'ended'
RETURNING id
"""


async def cancel(connection: Connection, shelf: Shelf, batch_id: str) -> Row | None:
    """The batch as it is then; None where there is none. Raises `InvalidRequest` for one that has ended."""
    row = await (await connection.execute(_CANCEL, {**shelf.given, "id": batch_id})).fetchone()
    if row is None and (await one(connection, shelf, batch_id)) is not None:
        raise InvalidRequest(f"{batch_id}: a batch that has ended cannot be canceled")
    return row


async def delete(connection: Connection, shelf: Shelf, batch_id: str) -> bool:
    """Whether there was one; its items go with it, so that this wants a transaction.

    Raises `InvalidRequest` for one that has not ended.
    """
    row = await (await connection.execute(_DELETE, {**shelf.given, "id": batch_id})).fetchone()
    if row is None:
        found = await one(connection, shelf, batch_id)
        if found is not None and found["status"] != ENDED:
            raise InvalidRequest(f"{batch_id}: a batch can be deleted once it has ended; cancel it first")
        return False
    await connection.execute("DELETE FROM message_batch_item WHERE batch_id = %s", [batch_id])
    return True
