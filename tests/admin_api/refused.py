"""Refusals of keys as the drain would have written them."""

from __future__ import annotations

import datetime
from typing import Any

from django.db import connection

from gateway.ids import new_request_id
from gateway.metering import partitions, refusals
from gateway.metering.refusal import LimitRefusal
from gateway.models import ApiKey, LimitBlock


def refused(key: ApiKey, at: datetime.datetime | None = None, **changed: Any) -> LimitBlock:
    """One request of the key that its organization had no output tokens for, now unless told otherwise."""
    at = at or datetime.datetime.now(datetime.UTC)
    told: dict[str, Any] = {
        "request_id": new_request_id(),
        "at": round(at.timestamp() * 1000),
        "organization_id": key.organization_id,
        "workspace_id": key.workspace_id or "wrkspc_01",
        "api_key_id": key.id,
        "model": "claude-sonnet-4-5",
        "endpoint": "messages",
        "kind": "rate_limit",
        "scope": "organization",
        "scope_id": str(key.organization_id),
        "pool": "default",
        "limiter": "output_tokens_per_minute",
        "limit": 80_000,
        "needed": 4_096,
        "remaining": 120,
        "retry_after_ms": 2_983,
    }
    row = refusals.row_from_refusal(LimitRefusal(**{**told, **changed}), datetime.datetime.now(datetime.UTC))
    with connection.cursor() as cursor:
        partitions.ensure(cursor, [row.day], refusals.TABLE)
    return LimitBlock.objects.create(**{name: getattr(row, name) for name in row.__struct_fields__})
