"""Batches as rows, for tests of what is read of them."""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from typing import Any

import psycopg

from gateway.batch_states import ItemState
from gateway.batches import lines
from gateway.ids import new_id
from tests.data_plane.house import Tenant

NOW = datetime.timedelta()
DONE = {ItemState.SUCCEEDED: "succeeded", ItemState.ERRORED: "errored", ItemState.CANCELED: "canceled"} | {
    ItemState.EXPIRED: "expired"
}


class BatchRows:
    def __init__(self, connection: psycopg.Connection[dict[str, Any]]) -> None:
        self.connection = connection

    def add(self, tenant: Tenant, total: int = 1, *, age: datetime.timedelta = NOW, **columns: Any) -> str:
        """A batch without its items; its id."""
        created = datetime.datetime.now(datetime.UTC) - age
        row = {
            "id": new_id("msgbatch"),
            "organization_id": tenant.id,
            "workspace_id": tenant.workspace,
            "api_key_id": tenant.key_id,
            "request_id": "req_01",
            "status": "in_progress",
            "passage": "",
            "version": "2023-06-01",
            "relayed": "[]",
            "query": "",
            "user_agent": "",
            "model_names": "[]",
            "total": total,
            "succeeded": 0,
            "errored": 0,
            "canceled": 0,
            "expired": 0,
            "created_at": created,
            "expires_at": created + datetime.timedelta(hours=24),
            "provider": "",
            "upstream_id": "",
        } | columns
        names = ", ".join(row)
        marks = ", ".join(["%s"] * len(row))
        self.connection.execute(f"INSERT INTO message_batch ({names}) VALUES ({marks})", list(row.values()))  # type: ignore[arg-type]
        return str(row["id"])

    def ended(self, tenant: Tenant, results: Sequence[bytes], **columns: Any) -> str:
        """One that has ended, all of it well; `results` are messages."""
        now = datetime.datetime.now(datetime.UTC)
        counts = {"status": "ended", "ended_at": now, "succeeded": len(results)}
        batch_id = self.add(tenant, len(results), **counts | columns)
        given = [
            (batch_id, n, f"item-{n}", ItemState.SUCCEEDED, lines.succeeded(f"item-{n}", message))
            for n, message in enumerate(results)
        ]
        self._copy(
            "batch_id, number, custom_id, params, state, result",
            [(*one[:3], b"{}", *one[3:]) for one in given],
        )
        return batch_id

    def ended_alike(self, tenant: Tenant, message: bytes, count: int) -> str:
        """One that has ended with the same message so many times."""
        batch_id = self.add(
            tenant, count, status="ended", ended_at=datetime.datetime.now(datetime.UTC), succeeded=count
        )
        head, _, tail = lines.succeeded("%", message).partition(b"%")
        self.connection.execute(
            """INSERT INTO message_batch_item (batch_id, number, custom_id, params, state, result)
               SELECT %s, n, 'item-' || n, '', %s, %s || convert_to('item-' || n, 'UTF8') || %s
                 FROM generate_series(0, %s) AS n""",
            [batch_id, ItemState.SUCCEEDED, head, tail, count - 1],
        )
        return batch_id

    def items(self, batch_id: str, params: Sequence[dict[str, Any]]) -> None:
        given = [(batch_id, n, f"item-{n}", json.dumps(one).encode()) for n, one in enumerate(params)]
        self._copy("batch_id, number, custom_id, params", given)

    def batch(self, batch_id: str) -> dict[str, Any] | None:
        return self.connection.execute("SELECT * FROM message_batch WHERE id = %s", [batch_id]).fetchone()

    def number_of_items(self, batch_id: str) -> int:
        row = self.connection.execute(
            "SELECT count(*) AS n FROM message_batch_item WHERE batch_id = %s", [batch_id]
        ).fetchone()
        assert row is not None
        return int(row["n"])

    def _copy(self, columns: str, rows: Sequence[tuple[Any, ...]]) -> None:
        statement = f"COPY message_batch_item ({columns}) FROM STDIN"
        with self.connection.cursor() as cursor, cursor.copy(statement) as copy:  # type: ignore[arg-type]
            for row in rows:
                copy.write_row(row)
