"""A provider's own usage and cost report, as the Admin API of Anthropic has them.

`GET /v1/organizations/usage_report/messages` tells tokens by day and model, `GET /v1/organizations/cost_report` cents
by day, model and class of tokens; both in pages.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import TypeVar

import httpx
import msgspec

from gateway.reconciliation.figures import CLASSES, WEB_SEARCHES, Figures, Place, undated

USAGE, COST = "/v1/organizations/usage_report/messages", "/v1/organizations/cost_report"
VERSION = "2023-06-01"
TIMEOUT = httpx.Timeout(60, connect=10)
DAYS_OF_PAGE = 31
CENTS = Decimal(100)


class ReportUnavailable(Exception):
    """The message says why; it never holds the key."""


class CacheCreation(msgspec.Struct):
    ephemeral_5m_input_tokens: int = 0
    ephemeral_1h_input_tokens: int = 0


class ServerToolUse(msgspec.Struct):
    web_search_requests: int = 0


class UsageResult(msgspec.Struct):
    model: str | None = None
    uncached_input_tokens: int = 0
    cache_read_input_tokens: int = 0
    output_tokens: int = 0
    cache_creation: CacheCreation | None = None
    server_tool_use: ServerToolUse | None = None


class CostResult(msgspec.Struct):
    """`amount` is in cents, with what is less than one."""

    amount: str
    currency: str = "USD"
    cost_type: str | None = None
    token_type: str | None = None
    model: str | None = None


class UsageBucket(msgspec.Struct):
    starting_at: datetime.datetime
    results: list[UsageResult]


class CostBucket(msgspec.Struct):
    starting_at: datetime.datetime
    results: list[CostResult]


class UsagePage(msgspec.Struct):
    data: list[UsageBucket]
    has_more: bool = False
    next_page: str | None = None


class CostPage(msgspec.Struct):
    data: list[CostBucket]
    has_more: bool = False
    next_page: str | None = None


AnyPage = TypeVar("AnyPage", UsagePage, CostPage)


def read(base_url: str, admin_key: str, first: datetime.date, last: datetime.date) -> Figures:
    """The figures of the days from `first` to `last`. Raises `ReportUnavailable`."""
    headers = {"x-api-key": _sendable(admin_key), "anthropic-version": VERSION}
    figures = Figures()
    with httpx.Client(base_url=base_url.rstrip("/"), headers=headers, timeout=TIMEOUT) as client:
        for usage_page in _pages(client, USAGE, "model", (first, last), UsagePage):
            for usage_bucket in usage_page.data:
                _add_usage(figures, _day(usage_bucket.starting_at), usage_bucket.results)
        for cost_page in _pages(client, COST, "description", (first, last), CostPage):
            for cost_bucket in cost_page.data:
                _add_cost(figures, _day(cost_bucket.starting_at), cost_bucket.results)
    return figures


def _sendable(admin_key: str) -> str:
    """Checked here, since the client's own complaint over such a header would show it."""
    if not admin_key or not admin_key.isascii() or not admin_key.isprintable():
        raise ReportUnavailable("the admin key is empty or holds what no key holds")
    return admin_key


def _pages(
    client: httpx.Client,
    path: str,
    group_by: str,
    days: tuple[datetime.date, datetime.date],
    kind: type[AnyPage],
) -> Iterator[AnyPage]:
    query = {
        "starting_at": f"{days[0]}T00:00:00Z",
        "ending_at": f"{days[1] + datetime.timedelta(days=1)}T00:00:00Z",
        "bucket_width": "1d",
        "group_by[]": group_by,
        "limit": str(DAYS_OF_PAGE),
    }
    seen: set[str] = set()
    while True:
        page = _page(client, path, query, kind)
        yield page
        if not page.has_more or page.next_page is None:
            return
        if page.next_page in seen:
            raise ReportUnavailable(f"{path} answers with the same page again and again")
        seen.add(page.next_page)
        query["page"] = page.next_page


def _page(client: httpx.Client, path: str, query: Mapping[str, str], kind: type[AnyPage]) -> AnyPage:
    try:
        answer = client.get(path, params=query)
    except (httpx.HTTPError, httpx.InvalidURL) as problem:
        raise ReportUnavailable(f"{path}: {type(problem).__name__}: {problem}") from None
    if answer.status_code != 200:
        raise ReportUnavailable(f"{path} answers {answer.status_code}: {_words(answer)}")
    try:
        return msgspec.json.decode(answer.content, type=kind)
    except (msgspec.DecodeError, UnicodeError) as problem:
        raise ReportUnavailable(f"{path} answers with something else than a report: {problem}") from None


def _words(answer: httpx.Response) -> str:
    """The provider's own, from its envelope if that is one."""
    try:
        return str(msgspec.json.decode(answer.content)["error"]["message"])[:300]
    except (msgspec.DecodeError, UnicodeError, KeyError, TypeError):
        return answer.reason_phrase


def _day(starting_at: datetime.datetime) -> datetime.date:
    return starting_at.astimezone(datetime.UTC).date()


def _add_usage(figures: Figures, day: datetime.date, results: list[UsageResult]) -> None:
    for result in results:
        created = result.cache_creation or CacheCreation()
        counts = {
            "uncached_input_tokens": result.uncached_input_tokens,
            "cache_creation.ephemeral_5m_input_tokens": created.ephemeral_5m_input_tokens,
            "cache_creation.ephemeral_1h_input_tokens": created.ephemeral_1h_input_tokens,
            "cache_read_input_tokens": result.cache_read_input_tokens,
            "output_tokens": result.output_tokens,
        }
        for token_type, count in counts.items():
            figures[Place(day, undated(result.model or ""), token_type)].tokens += count
        searches = (result.server_tool_use or ServerToolUse()).web_search_requests
        figures[Place(day, "", WEB_SEARCHES)].tokens += searches


def _add_cost(figures: Figures, day: datetime.date, results: list[CostResult]) -> None:
    for result in results:
        figure = figures[_place(day, result)]
        amount = _amount(result)
        figure.cost += amount / CENTS
        figure.tolerance += _rounded_by(amount) / CENTS


def _place(day: datetime.date, result: CostResult) -> Place:
    """What is no class of tokens goes by its kind of cost, so that nothing of a bill is passed over."""
    if result.token_type in CLASSES:
        return Place(day, undated(result.model or ""), result.token_type)
    return Place(
        day, "", WEB_SEARCHES if result.cost_type == "web_search" else result.cost_type or "other costs"
    )


def _amount(result: CostResult) -> Decimal:
    if result.currency != "USD":
        raise ReportUnavailable(
            f"{COST} tells costs in {result.currency[:20]}, and the ledger is in US dollars"
        )
    try:
        amount = Decimal(result.amount)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite():
        raise ReportUnavailable(f"{COST} tells an amount that is no number")
    return amount


def _rounded_by(amount: Decimal) -> Decimal:
    """By how much an amount with so many places may be off: half of its last place."""
    exponent = amount.as_tuple().exponent
    assert isinstance(exponent, int)
    return Decimal(5).scaleb(exponent - 1)
