"""What Postgres has of message batches, for tests that look behind the API."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from gateway.directory.change import CHANNEL, Change
from tests.data_plane.house import House, Tenant


def batch_row(house: House, batch_id: str) -> dict[str, Any]:
    return house.database.execute("SELECT * FROM message_batch WHERE id = %s", [batch_id]).fetchall()[0]


def batches_of(house: House, organization_id: str) -> list[dict[str, Any]]:
    """The newest last."""
    query = "SELECT * FROM message_batch WHERE organization_id = %s ORDER BY created_at, id"
    return house.database.execute(query, [organization_id]).fetchall()


def items_of(house: House, batch_id: str) -> list[dict[str, Any]]:
    query = "SELECT * FROM message_batch_item WHERE batch_id = %s ORDER BY number"
    return house.database.execute(query, [batch_id]).fetchall()


def orphans(house: House) -> int:
    """Items without a batch, of which there are never any."""
    query = (
        "SELECT count(*) AS n FROM message_batch_item i "
        "WHERE NOT EXISTS (SELECT FROM message_batch b WHERE b.id = i.batch_id)"
    )
    return int(house.database.execute(query).fetchall()[0]["n"])


def limit_queue(house: House, tenant: Tenant, most: int | None) -> None:
    """How many items of batches the organization may have open; None is any number. Where its key was in use before,
    a gateway knows of it only when the house has settled in."""
    limits = json.dumps({"batch": {"enqueued_batch_requests": most}})
    query = "UPDATE gateway_organization SET group_limits = %s WHERE id = %s"
    house.database.execute(query, [limits, tenant.id])
    house.valkey.publish(CHANNEL, msgspec.json.encode(Change("organization", tenant.id)))
