"""A row of the ledger, made from a usage event: when it began, what it costs, texts cut to their columns."""

from __future__ import annotations

import datetime
import uuid
from decimal import Decimal

import msgspec

from gateway import ids, price
from gateway.metering.event import UsageEvent
from gateway.metering.prices import PriceBook
from gateway.price import Rates

# Attempt ids carry the time. One outside these bounds is not ours, and would make a partition of its own.
OLDEST = datetime.timedelta(days=400)
NEWEST = datetime.timedelta(days=1)

MOST = 2**53 - 1


class Unstorable(Exception):
    """This event can never become a row; the message says why."""


class LedgerRow(msgspec.Struct, frozen=True):
    """The columns of `usage_event`, by name."""

    day: datetime.date
    attempt_id: uuid.UUID
    at: datetime.datetime
    request_id: str
    organization_id: uuid.UUID
    workspace_id: str
    api_key_id: str
    endpoint: str
    attempt: int
    model_requested: str
    model: str
    provider: str
    upstream_model: str
    stream: bool
    status: int
    error_type: str
    stop_reason: str
    usage_source: str
    input_tokens: int
    cache_read_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int
    output_tokens: int
    web_search_requests: int
    service_tier: str
    inference_geo: str
    price_version: int | None
    cost: Decimal
    input_cost: Decimal
    cache_read_cost: Decimal
    cache_write_5m_cost: Decimal
    cache_write_1h_cost: Decimal
    output_cost: Decimal
    web_search_cost: Decimal
    latency_ms: int
    time_to_first_token_ms: int | None
    checked_ms: int | None
    admitted_ms: int | None
    user_agent: str
    session_id: str


def row_from_event(event: UsageEvent, book: PriceBook, now: datetime.datetime) -> LedgerRow:
    """Raises `Unstorable`."""
    at = _began(event.attempt_id, now)
    usage = event.usage
    _check_counts(event)
    rates = _rates(event.price_version, book)
    charges = price.charges(rates, usage, event.service_tier, event.web_search_requests)
    return LedgerRow(
        day=at.date(),
        attempt_id=event.attempt_id,
        at=at,
        request_id=event.request_id,
        organization_id=event.organization_id,
        workspace_id=event.workspace_id,
        api_key_id=event.api_key_id,
        endpoint=event.endpoint,
        attempt=event.attempt,
        model_requested=_cut(event.model_requested, 200),
        model=event.model,
        provider=event.provider,
        upstream_model=event.upstream_model,
        stream=event.stream,
        status=event.status,
        error_type=_cut(event.error_type, 64),
        stop_reason=_cut(event.stop_reason, 64),
        usage_source=event.usage_source,
        input_tokens=usage.input_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_5m_tokens=usage.cache_write_5m_tokens,
        cache_write_1h_tokens=usage.cache_write_1h_tokens,
        output_tokens=usage.output_tokens,
        web_search_requests=event.web_search_requests,
        service_tier=_cut(event.service_tier, 32),
        inference_geo=_cut(event.inference_geo, 32),
        price_version=event.price_version,
        cost=charges.total,
        input_cost=charges.input,
        cache_read_cost=charges.cache_read,
        cache_write_5m_cost=charges.cache_write_5m,
        cache_write_1h_cost=charges.cache_write_1h,
        output_cost=charges.output,
        web_search_cost=charges.web_search,
        latency_ms=event.latency_ms,
        time_to_first_token_ms=event.time_to_first_token_ms,
        checked_ms=event.checked_ms,
        admitted_ms=event.admitted_ms,
        user_agent=_cut(event.user_agent, 200),
        session_id=_cut(event.session_id, 200),
    )


def _began(attempt_id: uuid.UUID, now: datetime.datetime) -> datetime.datetime:
    if attempt_id.version != 7:
        raise Unstorable(f"attempt id {attempt_id} carries no time")
    try:
        at = ids.attempt_time(attempt_id)
    except (OverflowError, ValueError):
        raise Unstorable(f"attempt id {attempt_id} carries an impossible time") from None
    if not now - OLDEST < at < now + NEWEST:
        raise Unstorable(f"attempt id {attempt_id} is of {at:%Y-%m-%d}, too far from today")
    return at


def _check_counts(event: UsageEvent) -> None:
    """A negative figure would silently lower somebody's sum; a giant one no column holds."""
    times = (event.latency_ms, event.time_to_first_token_ms, event.checked_ms, event.admitted_ms)
    counts = (*msgspec.structs.astuple(event.usage), event.web_search_requests, *(one or 0 for one in times))
    if min(counts) < 0 or max(counts) > MOST:
        raise Unstorable("a count is negative or beyond reason")


def _rates(version: int | None, book: PriceBook) -> Rates | None:
    if version is None:
        return None
    try:
        return book[version]
    except KeyError:
        raise Unstorable(f"price version {version} does not exist") from None


def _cut(text: str, width: int) -> str:
    """Callers and providers write these texts: a long one, or a NUL, must not cost us the event."""
    return text[:width].replace("\0", "\ufffd")
