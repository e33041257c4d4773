"""Tokens over time, from the rollups: one statement a page, whatever is grouped and filtered.

Pages may have ten thousands of rows, so that they are structs from the cursor to the wire, and such as the garbage
collector need not look through.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from django.db import connection

from admin_api import residency
from admin_api.queries.dimensions import FILTERS, GROUPS, KEYS, NOT_AVAILABLE
from admin_api.queries.report_pages import Moment, ReportPage
from gateway.metering.reports import LENGTHS
from gateway.metering.rollups import TABLES
from gateway.models import Organization

Result = TypeVar("Result", bound=msgspec.Struct)

ROWS_AT_ONCE = 500
SERVICE_TIERS = ("standard", "batch", "priority", "priority_on_demand", "flex", "flex_discount")
CONTEXT_WINDOWS = ("0-200k", "200k-1M")
INFERENCE_GEOS = (*residency.GEOS, NOT_AVAILABLE)


class CacheCreation(msgspec.Struct, frozen=True, gc=False):
    ephemeral_5m_input_tokens: int
    ephemeral_1h_input_tokens: int


class ServerToolUse(msgspec.Struct, frozen=True, gc=False):
    web_search_requests: int


class UsageResult(msgspec.Struct, frozen=True, gc=False):
    """Sums over what has these dimensions; those that are not grouped by are null.

    `workspace_id` is null for the default workspace too, `account_id` and `service_account_id` for keys that act
    for nobody.
    """

    uncached_input_tokens: int
    cache_creation: CacheCreation
    cache_read_input_tokens: int
    output_tokens: int
    server_tool_use: ServerToolUse
    api_key_id: str | None
    workspace_id: str | None
    model: str | None
    service_tier: str | None
    context_window: str | None
    inference_geo: str | None
    account_id: str | None
    service_account_id: str | None


class UsageBucket(msgspec.Struct, frozen=True):
    """From `starting_at` up to `ending_at`; without usage there are no results."""

    starting_at: Moment
    ending_at: Moment
    results: list[UsageResult]


class UsageReport(msgspec.Struct, frozen=True):
    data: list[UsageBucket]
    has_more: bool
    next_page: str | None


_TOKENS = (
    "input_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "cache_read_tokens",
    "output_tokens",
    "web_search_requests",
)


def usage_report(organization: Organization, page: ReportPage, asked: Mapping[str, Any]) -> UsageReport:
    """What `asked` (a `UsageReportQuery`) wants of the page."""
    filters = [name for name in FILTERS if asked[name]]
    statement = _statement(TABLES[page.width], asked["group_by"], filters)
    values = {name: asked[name] for name in filters}
    return UsageReport(
        data=[
            UsageBucket(start, start + LENGTHS[page.width], results)
            for start, results in by_bucket(statement, values, organization, page, _result)
        ],
        has_more=page.next_page is not None,
        next_page=page.next_page,
    )


def by_bucket(
    statement: str,
    values: Mapping[str, Any],
    organization: Organization,
    page: ReportPage,
    result: Callable[[Sequence[Any]], Result],
) -> Iterable[tuple[datetime.datetime, list[Result]]]:
    """Every bucket of the page with its results, which are made of the statement's rows; their first column is the
    bucket in seconds of the epoch.

    Rows are taken while PostgreSQL still makes others: a quarter less time for large pages. Django's cursors cannot
    do that; its log of statements does not see it.
    """
    span = {"organization_id": organization.id, "first": page.first, "last": page.last}
    found: dict[int, list[Result]] = {}
    with connection.cursor() as cursor, connection.wrap_database_errors:
        for row in cursor.stream(statement, {**span, **values}, size=ROWS_AT_ONCE):
            found.setdefault(row[0], []).append(result(row))
    return ((start, found.get(int(start.timestamp()), [])) for start in page.starts())


def _result(row: Sequence[Any]) -> UsageResult:
    _, uncached, short, long, cached, output, searches, *dimensions = row
    return UsageResult(
        uncached, CacheCreation(short, long), cached, output, ServerToolUse(searches), *dimensions
    )


def _statement(table: str, group_by: Sequence[str], filters: Sequence[str]) -> str:
    """All names come from the constants above. What used nothing, such as refused requests, is left out."""
    sums = ", ".join(f"sum(total.{name})::bigint" for name in _TOKENS)
    used = " + ".join(f"total.{name}" for name in _TOKENS)
    shown = ", ".join(GROUPS[name].shown if name in group_by else "NULL" for name in GROUPS)
    key = ", ".join(("total.bucket", *(GROUPS[name].column for name in GROUPS if name in group_by)))
    wanted = "".join(f" AND {FILTERS[name]} = ANY(%({name})s)" for name in filters)
    joined = KEYS if "key." in key + wanted else ""
    return (
        f"SELECT extract(epoch FROM total.bucket)::bigint, {sums}, {shown} FROM {table} AS total{joined}"
        " WHERE total.organization_id = %(organization_id)s"
        f" AND total.bucket >= %(first)s AND total.bucket < %(last)s AND {used} > 0{wanted}"
        f" GROUP BY {key} ORDER BY {key}"
    )
