"""The sums that pages and reports read: one row per bucket of time and combination of dimensions.

They are raised in the transaction that writes the events, by exactly the events that were new.
"""

from __future__ import annotations

from enum import StrEnum

import psycopg

from gateway.metering.summary import NONE, Summary


class Width(StrEnum):
    """How long a bucket is; buckets are aligned in UTC."""

    MINUTE = "1m"
    HOUR = "1h"
    DAY = "1d"


TABLES = {Width.MINUTE: "usage_minute", Width.HOUR: "usage_hour", Width.DAY: "usage_day"}

_PERIOD = {Width.MINUTE: "minute", Width.HOUR: "hour", Width.DAY: "day"}

# Each column of a rollup and what it is of a ledger row: those that name it, then those that are summed.
_PROMPT = "input_tokens + cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens"
_LONG_CONTEXT = f"CASE WHEN {_PROMPT} > 200000 THEN '200k-1M' ELSE '0-200k' END"
# What used something while its model had no price, and so is charged to nobody.
UNPRICED = f"price_version IS NULL AND {_PROMPT} + output_tokens + web_search_requests > 0"
DIMENSIONS = {
    "workspace_id": "workspace_id",
    "api_key_id": "api_key_id",
    "model": "model",
    "provider": "provider",
    "service_tier": "service_tier",
    "context_window": _LONG_CONTEXT,
    "inference_geo": "inference_geo",
}
# What `cost` is made of: one for each class of tokens, and web searches.
COSTS = (
    "input_cost",
    "cache_read_cost",
    "cache_write_5m_cost",
    "cache_write_1h_cost",
    "output_cost",
    "web_search_cost",
)
SUMS = {
    "requests": "count(*)",
    "errors": "count(*) FILTER (WHERE status >= 400)",
    "input_tokens": "sum(input_tokens)",
    "cache_read_tokens": "sum(cache_read_tokens)",
    "cache_write_5m_tokens": "sum(cache_write_5m_tokens)",
    "cache_write_1h_tokens": "sum(cache_write_1h_tokens)",
    "output_tokens": "sum(output_tokens)",
    "web_search_requests": "sum(web_search_requests)",
    "cost": "sum(cost)",
    **{name: f"sum({name})" for name in COSTS},
    "latency_ms": "sum(latency_ms)",
    "time_to_first_token_ms": "coalesce(sum(time_to_first_token_ms), 0)",
    "first_tokens": "count(time_to_first_token_ms)",
    "unpriced_requests": f"count(*) FILTER (WHERE {UNPRICED})",
}


def add(cursor: psycopg.Cursor, rows: str, replaced: str = NONE) -> None:
    """Raise the rollups of all widths by `rows`, a JSON array of ledger rows that no rollup counts yet.

    Those in `replaced` are no longer counted: the ledger holds others in their place.
    """
    for summary in SUMMARIES.values():
        summary.add(cursor, rows, replaced)


def _summary(width: Width) -> Summary:
    period = f"date_trunc('{_PERIOD[width]}', at, 'UTC')"
    key = {"organization_id": "organization_id", "bucket": period, **DIMENSIONS}
    return Summary(TABLES[width], key, SUMS)


SUMMARIES = {width: _summary(width) for width in Width}
