"""Money by day, from the rollups of days: exactly what the ledger charged, to the last digit."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from admin_api.money import CURRENCY, cents_in_sql
from admin_api.queries.dimensions import GEO, WORKSPACE
from admin_api.queries.report_pages import Moment, ReportPage
from admin_api.queries.usage_report import by_bucket
from gateway.metering.reports import LENGTHS
from gateway.metering.rollups import TABLES, Width
from gateway.models import Organization

TOKENS, WEB_SEARCH = "tokens", "web_search"  # cost types

# What is charged apart of tokens: its name in the report, the columns of the rollups, and how it is described.
TOKEN_TYPES = {
    "uncached_input_tokens": ("input", "input tokens"),
    "cache_creation.ephemeral_5m_input_tokens": ("cache_write_5m", "tokens cached for 5 minutes"),
    "cache_creation.ephemeral_1h_input_tokens": ("cache_write_1h", "tokens cached for an hour"),
    "cache_read_input_tokens": ("cache_read", "tokens read from the cache"),
    "output_tokens": ("output", "output tokens"),
}


class CostResult(msgspec.Struct, frozen=True, gc=False):
    """`amount` is in cents, a decimal number without exponent. All but it and `currency` are null unless grouped by;
    of web searches so is what only tokens have: a class, and the model, tier, context and geography.
    """

    amount: str
    currency: str
    cost_type: str | None
    description: str | None
    model: str | None
    token_type: str | None
    service_tier: str | None
    context_window: str | None
    inference_geo: str | None
    workspace_id: str | None


class CostBucket(msgspec.Struct, frozen=True):
    """One day; without usage there are no results."""

    starting_at: Moment
    ending_at: Moment
    results: list[CostResult]


class CostReport(msgspec.Struct, frozen=True):
    data: list[CostBucket]
    has_more: bool
    next_page: str | None


def cost_report(organization: Organization, page: ReportPage, asked: Mapping[str, Any]) -> CostReport:
    """What `asked` (a `CostReportQuery`) wants of the page."""
    by_workspace = "workspace_id" in asked["group_by"]
    statement = _by_description(by_workspace) if "description" in asked["group_by"] else _totals(by_workspace)
    return CostReport(
        data=[
            CostBucket(start, start + LENGTHS[page.width], results)
            for start, results in by_bucket(statement, {}, organization, page, _result)
        ],
        has_more=page.next_page is not None,
        next_page=page.next_page,
    )


def _result(row: Sequence[Any]) -> CostResult:
    _, amount, workspace_id, cost_type, token_type, name, model, tier, window, geo = row
    return CostResult(
        amount=amount,
        currency=CURRENCY,
        cost_type=cost_type,
        description=_description(cost_type, name, token_type, tier, window) if cost_type else None,
        model=model,
        token_type=token_type,
        service_tier=tier,
        context_window=window,
        inference_geo=geo,
        workspace_id=workspace_id,
    )


@functools.lru_cache(maxsize=10_000)
def _description(cost_type: str, name: str, token_type: str, tier: str, window: str) -> str:
    """`Claude Sonnet 4.5: output tokens (batch, long context)`; what is usual goes without saying."""
    if cost_type == WEB_SEARCH:
        return "Web searches"
    unusual = [word for word, usual in ((tier, "standard"), (_WINDOWS[window], "")) if word != usual]
    return f"{name or 'Unknown model'}: {TOKEN_TYPES[token_type][1]}" + (
        f" ({', '.join(unusual)})" if unusual else ""
    )


_WINDOWS = {"0-200k": "", "200k-1M": "long context"}

_DAYS = (
    f"{TABLES[Width.DAY]} AS total WHERE total.organization_id = %(organization_id)s"
    " AND total.bucket >= %(first)s AND total.bucket < %(last)s"
)
_EPOCH = "extract(epoch FROM total.bucket)::bigint"
_USED = " + ".join((*(f"{column}_tokens" for column, _ in TOKEN_TYPES.values()), "web_search_requests"))
_SUMS = ", ".join(
    f"sum({name}) AS {name}"
    for column, what in (
        *((column, ("tokens", "cost")) for column, _ in TOKEN_TYPES.values()),
        ("web_search", ("requests", "cost")),
    )
    for name in (f"{column}_{part}" for part in what)
)
_CLASSES = ", ".join(
    f"({place}, '{name}', {column}_tokens, {column}_cost)"
    for place, (name, (column, _)) in enumerate(TOKEN_TYPES.items())
)


def _totals(by_workspace: bool) -> str:
    """One row a bucket, or one of each of its workspaces. What was used for nothing is there, with 0."""
    key = ", ".join(("total.bucket", *([WORKSPACE.column] if by_workspace else [])))
    return (
        f"SELECT {_EPOCH}, {cents_in_sql('sum(cost)')}::text, {WORKSPACE.shown if by_workspace else 'NULL'},"
        f" {', '.join(['NULL'] * 7)} FROM {_DAYS} AND ({_USED} > 0 OR cost > 0) GROUP BY {key} ORDER BY {key}"
    )


def _by_description(by_workspace: bool) -> str:
    """One row for each class of tokens that was used, and after them one for web searches, which tell no model.

    Names of models are those of today. Sums are put in order before they are split into classes: five times fewer
    texts to compare.
    """
    workspace = ["total.workspace_id"] if by_workspace else []
    dimensions = ["total.model", "total.service_tier", "total.context_window", GEO]
    place = ", ".join(("total.bucket", *workspace))
    key = ", ".join((place, *dimensions))
    return (
        f"WITH sums AS (SELECT {key} AS inference_geo, {_SUMS}, row_number() OVER (ORDER BY {key}) AS number"
        f" FROM {_DAYS} GROUP BY {key}),"
        f" parts AS ({_token_parts(place)} UNION ALL {_search_parts(place)}),"
        " known AS (SELECT DISTINCT ON (name) name, display_name FROM gateway_model"
        " ORDER BY name, origin <> 'configured')"
        f" SELECT {_EPOCH}, {cents_in_sql('total.cost')}::text, {WORKSPACE.shown if by_workspace else 'NULL'},"
        " total.cost_type, total.token_type, coalesce(known.display_name, total.model), total.model,"
        " total.service_tier, total.context_window, total.inference_geo"
        " FROM parts AS total LEFT JOIN known ON known.name = total.model ORDER BY total.number, total.place"
    )


def _token_parts(place: str) -> str:
    return (
        f"SELECT {place}, total.number, class.place, '{TOKENS}' AS cost_type, class.token_type, total.model,"
        " total.service_tier, total.context_window, total.inference_geo, class.cost"
        f" FROM sums AS total CROSS JOIN LATERAL (VALUES {_CLASSES}) AS class (place, token_type, tokens, cost)"
        " WHERE class.tokens > 0 OR class.cost > 0"
    )


def _search_parts(place: str) -> str:
    return (
        f"SELECT {place}, max(total.number), {len(TOKEN_TYPES)}, '{WEB_SEARCH}', NULL, NULL, NULL, NULL, NULL,"
        f" sum(total.web_search_cost) FROM sums AS total GROUP BY {place}"
        " HAVING sum(total.web_search_requests) > 0 OR sum(total.web_search_cost) > 0"
    )
