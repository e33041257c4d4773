"""The logs as files, one record a request: the same fields in CSV and in JSON, times in UTC, money in full."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Iterator
from decimal import Decimal

from admin_api.queries.log_entries import Entry
from dashboard.downloads.csv_export import Cell

FIELDS = (
    "at",
    "request_id",
    "status",
    "error_type",
    "refused",
    "model_requested",
    "model",
    "provider",
    "upstream_model",
    "endpoint",
    "stream",
    "attempt",
    "workspace_id",
    "workspace_name",
    "api_key_id",
    "key_name",
    "member",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "web_search_requests",
    "usage_source",
    "cost",
    "price_version",
    "service_tier",
    "inference_geo",
    "checked_ms",
    "admitted_ms",
    "time_to_first_token_ms",
    "latency_ms",
    "stop_reason",
    "user_agent",
    "session_id",
)


def records(entries: Iterable[Entry]) -> Iterator[list[Cell]]:
    for entry in entries:
        yield [_cell(getattr(entry, name)) for name in FIELDS]


def json_lines(entries: Iterable[Entry]) -> Iterator[str]:
    """One array of objects, an object a line. Money is text, so that no reader makes a float of it."""
    before = "[\n"
    for entry in entries:
        yield before + json.dumps({name: _told(getattr(entry, name)) for name in FIELDS})
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


def _cell(value: object) -> Cell:
    """As spreadsheets read it: truth is `true` and `false`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return (
        value if value is None or isinstance(value, str | int | Decimal | datetime.datetime) else str(value)
    )


def _told(value: object) -> object:
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value
