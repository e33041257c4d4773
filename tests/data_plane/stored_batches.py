"""What Postgres has of message batches, for tests that look behind the API."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import msgspec
import psycopg
from psycopg.rows import dict_row

from gateway.directory.change import CHANNEL, Change
from tests.data_plane.house import House, Tenant


@contextlib.contextmanager
def database(house: House) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    """Each statement commits by itself."""
    url = house.environment["DATABASE_URL"]
    with psycopg.connect(url, autocommit=True, row_factory=dict_row) as connection:
        yield connection


def batch_row(house: House, batch_id: str) -> dict[str, Any]:
    with database(house) as connection:
        return connection.execute("SELECT * FROM message_batch WHERE id = %s", [batch_id]).fetchall()[0]


def batches_of(house: House, organization_id: str) -> list[dict[str, Any]]:
    """The newest last."""
    with database(house) as connection:
        query = "SELECT * FROM message_batch WHERE organization_id = %s ORDER BY created_at, id"
        return connection.execute(query, [organization_id]).fetchall()


def items_of(house: House, batch_id: str) -> list[dict[str, Any]]:
    with database(house) as connection:
        query = "SELECT * FROM message_batch_item WHERE batch_id = %s ORDER BY number"
        return connection.execute(query, [batch_id]).fetchall()


def orphans(house: House) -> int:
    """Items without a batch, of which there are never any."""
    with database(house) as connection:
        query = (
            "SELECT count(*) AS n FROM message_batch_item i "
            "WHERE NOT EXISTS (SELECT FROM message_batch b WHERE b.id = i.batch_id)"
        )
        return int(connection.execute(query).fetchall()[0]["n"])


def limit_queue(house: House, tenant: Tenant, most: int | None) -> None:
    """How many items of batches the organization may have open; None is any number."""
    limits = json.dumps({"batch": {"enqueued_batch_requests": most}})
    with database(house) as connection:
        query = "UPDATE gateway_organization SET group_limits = %s WHERE id = %s"
        connection.execute(query, [limits, tenant.id])
    house.valkey.publish(CHANNEL, msgspec.json.encode(Change("organization", tenant.id)))
    house.settle_in()
