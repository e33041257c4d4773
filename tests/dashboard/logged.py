"""Rows of the ledger as the drain would have written them, for the pages of the logs."""

from __future__ import annotations

import datetime
import uuid
from decimal import Decimal
from typing import Any

from django.db import connection
from django.utils import timezone

from gateway import ids
from gateway.ids import derived_attempt_id, new_request_id
from gateway.metering import partitions
from gateway.models import ApiKey, UsageEvent, UsageHour

ROLLUP = (
    "organization_id",
    "workspace_id",
    "api_key_id",
    "model",
    "provider",
    "service_tier",
    "inference_geo",
)


def logged(
    key: ApiKey, *, ago: float = 60, before: datetime.datetime | None = None, **changed: Any
) -> UsageEvent:
    """An attempt of the key that began `ago` seconds before now, or `before`, with its line in the rollup of hours."""
    began = (before or timezone.now()) - datetime.timedelta(seconds=ago)
    attempt_id = derived_attempt_id(began, str(uuid.uuid4()))
    at = ids.attempt_time(attempt_id)
    told: dict[str, Any] = {
        "day": at.date(),
        "attempt_id": attempt_id,
        "at": at,
        "request_id": new_request_id(),
        "organization_id": key.organization_id,
        "workspace_id": key.workspace_id or key.organization.workspaces.get(is_default=True).id,
        "api_key_id": key.id,
        "endpoint": "messages",
        "model_requested": "claude-sonnet-5-5",
        "model": "claude-sonnet-5-5",
        "provider": "simulator",
        "upstream_model": "claude-sonnet-5-5",
        "stream": True,
        "status": 200,
        "stop_reason": "end_turn",
        "usage_source": "reported",
        "input_tokens": 1200,
        "output_tokens": 340,
        "service_tier": "standard",
        "cost": Decimal("0.0087"),
        "latency_ms": 2400,
        "time_to_first_token_ms": 420,
        "user_agent": "anthropic-python/1.0",
    }
    row = UsageEvent(**{**told, **changed})
    with connection.cursor() as cursor:
        partitions.ensure(cursor, [row.day])
    row.save(force_insert=True)
    UsageHour.objects.get_or_create(
        bucket=row.at.replace(minute=0, second=0, microsecond=0),
        context_window="0-200k",
        **{name: getattr(row, name) for name in ROLLUP},
        defaults={"requests": 1},
    )
    return row


def key_of(organization: Any, name: str = "Nightly", **fields: Any) -> ApiKey:
    fields.setdefault("workspace", organization.workspaces.get(is_default=True))
    return ApiKey.objects.create(
        organization=organization, kind="api", name=name, digest=uuid.uuid4().bytes, hint="sk-…abcd", **fields
    )
