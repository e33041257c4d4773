"""Batches as their owners see them: those of one workspace, alone or in pages, the newest first."""

from __future__ import annotations

import uuid
from typing import LiteralString

import msgspec

from gateway.batches.batch import COLUMNS
from gateway.batches.store import Connection, Row
from gateway.errors import InvalidRequest

_COLUMNS: LiteralString = COLUMNS
_ONE: LiteralString = f"""
SELECT {_COLUMNS} FROM message_batch WHERE id = %(id)s AND organization_id = %(organization)s
                                       AND workspace_id = %(workspace)s
"""
_OF_WORKSPACE: LiteralString = f"""
SELECT {_COLUMNS} FROM message_batch WHERE organization_id = %(organization)s AND workspace_id = %(workspace)s
"""
_NEWEST: LiteralString = _OF_WORKSPACE + " ORDER BY created_at DESC, id DESC LIMIT %(limit)s"
_OLDER: LiteralString = (
    _OF_WORKSPACE
    + " AND (created_at, id) < (%(at)s, %(id)s) ORDER BY created_at DESC, id DESC LIMIT %(limit)s"
)
_NEWER: LiteralString = (
    _OF_WORKSPACE + " AND (created_at, id) > (%(at)s, %(id)s) ORDER BY created_at, id LIMIT %(limit)s"
)


class Shelf(msgspec.Struct, frozen=True):
    """Where somebody may look: the batches of one workspace."""

    organization_id: uuid.UUID
    workspace_id: str

    @property
    def given(self) -> dict[str, object]:
        return {"organization": self.organization_id, "workspace": self.workspace_id}


class Page(msgspec.Struct, frozen=True):
    """`has_more` is about the direction that was asked for."""

    rows: list[Row]
    has_more: bool


async def one(connection: Connection, shelf: Shelf, batch_id: str) -> Row | None:
    return await (await connection.execute(_ONE, {**shelf.given, "id": batch_id})).fetchone()


async def page(
    connection: Connection, shelf: Shelf, *, limit: int, after_id: str = "", before_id: str = ""
) -> Page:
    """Raises `InvalidRequest` for a cursor that is no batch of the workspace."""
    given: dict[str, object] = {**shelf.given, "limit": limit + 1}
    query = _NEWEST
    if cursor := after_id or before_id:
        row = await one(connection, shelf, cursor)
        if row is None:
            raise InvalidRequest(f"{'after_id' if after_id else 'before_id'}: no such batch")
        query = _OLDER if after_id else _NEWER
        given |= {"at": row["created_at"], "id": row["id"]}
    rows = await (await connection.execute(query, given)).fetchall()
    kept = rows[:limit]
    return Page(kept[::-1] if before_id else kept, len(rows) > limit)
