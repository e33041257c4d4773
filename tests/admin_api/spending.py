"""Usage of keys as the drain would have written it, for tests of what is spent."""

from __future__ import annotations

import datetime
from decimal import Decimal

from django.db import connection

from gateway.ids import new_id
from gateway.metering import store
from gateway.metering.rows import LedgerRow
from gateway.models import ApiKey
from tests.metering.ledger import attempt_at


def spent(key: ApiKey, cost: str, at: datetime.datetime | None = None) -> None:
    """One request of the key that cost so many US dollars, now unless told otherwise."""
    connection.ensure_connection()
    at = at or datetime.datetime.now(datetime.UTC)
    store.record(connection.connection, [_row(key, Decimal(cost), at)])


def _row(key: ApiKey, cost: Decimal, at: datetime.datetime) -> LedgerRow:
    return LedgerRow(
        day=at.astimezone(datetime.UTC).date(),
        attempt_id=attempt_at(at),
        at=at,
        request_id=new_id("req"),
        organization_id=key.organization_id,
        workspace_id=key.workspace_id or "wrkspc_01",
        api_key_id=key.id,
        endpoint="messages",
        attempt=1,
        model_requested="m",
        model="m",
        provider="simulator",
        upstream_model="m",
        stream=False,
        status=200,
        error_type="",
        stop_reason="end_turn",
        usage_source="reported",
        input_tokens=1,
        cache_read_tokens=0,
        cache_write_5m_tokens=0,
        cache_write_1h_tokens=0,
        output_tokens=1,
        web_search_requests=0,
        service_tier="standard",
        inference_geo="",
        price_version=None,
        cost=cost,
        input_cost=Decimal(0),
        cache_read_cost=Decimal(0),
        cache_write_5m_cost=Decimal(0),
        cache_write_1h_cost=Decimal(0),
        output_cost=cost,
        web_search_cost=Decimal(0),
        latency_ms=1,
        time_to_first_token_ms=None,
        checked_ms=None,
        admitted_ms=None,
        user_agent="",
        session_id="",
    )
