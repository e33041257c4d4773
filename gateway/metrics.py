"""Figures of this process for Prometheus; no label names a tenant, a key or a model.

Every web process keeps and shows its own. Label children are bound once and kept, since looking one up costs
more than counting: a request costs under 3 us in all.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Iterator, Mapping

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

CONTENT_TYPE = CONTENT_TYPE_LATEST
disable_created_metrics()  # a second sample for each counter that nobody reads
REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)

_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
_ADMISSION_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 1)

_request_seconds = Histogram(
    "gateway_request_seconds",
    "From a request's headers to the end of its answer; its `_count` is the number of requests.",
    ("endpoint", "status"),
    buckets=_SECONDS,
    registry=REGISTRY,
)
_first_token_seconds = Histogram(
    "gateway_first_token_seconds",
    "From the request's headers to the first event of a stream.",
    buckets=_SECONDS,
    registry=REGISTRY,
)
_admission_seconds = Histogram(
    "gateway_admission_seconds",
    "Asking the limits for room.",
    buckets=_ADMISSION_SECONDS,
    registry=REGISTRY,
)
_attempts = Counter(
    "gateway_upstream_attempts",
    "Attempts at providers.",
    ("provider", "outcome"),
    registry=REGISTRY,
)
_unknown_values = Counter(
    "gateway_unknown_upstream_values",
    "Values of providers that this version does not know; the logs name them.",
    ("dialect", "field"),
    registry=REGISTRY,
)
_broken_streams = Counter(
    "gateway_broken_streams",
    "Streams among the checked ones (GATEWAY_STREAM_CHECK_SHARE) that no Anthropic client may be sent.",
    ("dialect",),
    registry=REGISTRY,
)
_open_exchanges = Gauge("gateway_open_exchanges", "Requests being answered now.", registry=REGISTRY)
_open_reservations = Gauge(
    "gateway_open_reservations",
    "Reservations that this process holds; more of them than open exchanges would be a leak.",
    registry=REGISTRY,
)
_open_attempts = Gauge(
    "gateway_open_attempts", "Attempts in the journal that are not over yet.", registry=REGISTRY
)
_leaked_reservations = Counter(
    "gateway_leaked_reservations",
    "Reservations in budgets that their process never gave back, as audits find them.",
    registry=REGISTRY,
)
_unknown_attempts = Counter(
    "gateway_attempts_closed_unknown",
    "Attempts of processes that died, closed with what was reserved for them.",
    registry=REGISTRY,
)
_refusals = Counter(
    "gateway_refusals", "Requests that a limit or budget refused.", ("kind",), registry=REGISTRY
)
_contents_left_out = Counter(
    "gateway_contents_left_out",
    "Requests whose content was to be kept and was not, since PostgreSQL took too long.",
    registry=REGISTRY,
)
_unacknowledged = Gauge(
    "gateway_unacknowledged_usage",
    "Usage events in the journal that PostgreSQL is not known to have yet.",
    registry=REGISTRY,
)
_replicas = Gauge(
    "gateway_replicas",
    "Web processes of the last minute, who share limits without Valkey.",
    registry=REGISTRY,
)
_spool_bytes = Gauge(
    "gateway_spool_bytes",
    "Usage waiting on disk for Valkey to return.",
    registry=REGISTRY,
)
_valkey_open = Gauge(
    "gateway_valkey_breaker_open",
    "1 while Valkey is taken to be away and limits are local.",
    registry=REGISTRY,
)
_open_circuits = Gauge(
    "gateway_open_circuits",
    "Models of providers that are passed over for now because attempts there fail.",
    registry=REGISTRY,
)


_batches = Gauge(
    "gateway_message_batches",
    "Message batches that have not ended, of the whole installation, as each process tells them.",
    ("status",),
    registry=REGISTRY,
)
_batch_items = Gauge(
    "gateway_message_batch_items",
    "Items of message batches that have not ended; `waiting` are also those that a provider has.",
    ("state",),
    registry=REGISTRY,
)
_oldest_batch = Gauge(
    "gateway_oldest_message_batch_seconds",
    "Age of the oldest message batch that has not ended; they expire after a day.",
    registry=REGISTRY,
)


class _Installation(Collector):
    """Counters that the whole installation shares: read from the database, so none of this process's own."""

    def __init__(self) -> None:
        self.batch_items: Mapping[str, int] = {}

    def collect(self) -> Iterator[Metric]:
        counter = CounterMetricFamily(
            "gateway_message_batch_item_runs",
            "What became of items that runners took up, of the whole installation, as each process tells it.",
            labels=["outcome"],
        )
        for outcome, count in self.batch_items.items():
            counter.add_metric([outcome], count)
        yield counter


_installation = _Installation()
REGISTRY.register(_installation)


def _open_tasks() -> int:
    try:
        return len(asyncio.all_tasks())
    except RuntimeError:  # asked from outside of a loop
        return 0


_tasks = Gauge("gateway_tasks", "Tasks of the event loop.", registry=REGISTRY)
_tasks.set_function(_open_tasks)
_stream_entries = Gauge(
    "gateway_usage_stream_lag",
    "Usage events in Valkey that Postgres does not have yet.",
    registry=REGISTRY,
)

_request_time = functools.cache(_request_seconds.labels)
_attempt_count = functools.cache(_attempts.labels)


def request_answered(endpoint: str, status: int, seconds: float) -> None:
    """One answer is out; `endpoint` is one of our own names (`messages`), never a path as it was sent."""
    _request_time(endpoint, status).observe(seconds)


first_token: Callable[[float], None] = _first_token_seconds.observe
"""Seconds from a stream's request to its first event."""

admission: Callable[[float], None] = _admission_seconds.observe
"""Seconds that asking for room took, granted or not."""


def attempt_ended(provider: str, outcome: str) -> None:
    """One attempt at a provider ended: `ok`, or an error's type."""
    _attempt_count(provider, outcome).inc()


def unknown_upstream_value(dialect: str, field: str) -> None:
    """A provider sent a value nobody knows; log the value itself beside it."""
    _unknown_values.labels(dialect, field).inc()


def broken_stream(dialect: str) -> None:
    """A checked stream broke the grammar; `dialect` is the provider's."""
    _broken_streams.labels(dialect).inc()


def reservations_leaked(number: int) -> None:
    _leaked_reservations.inc(number)


def attempts_closed_unknown(number: int) -> None:
    _unknown_attempts.inc(number)


def refused(kind: str) -> None:
    """By `rate_limit`, `spend_limit` or `credit`."""
    _refusals.labels(kind).inc()


def content_left_out() -> None:
    _contents_left_out.inc()


def message_batches(
    batches: Mapping[str, int], items: Mapping[str, int], oldest_seconds: float, runs: Mapping[str, int]
) -> None:
    """By status, by state, and by what runners have done."""
    _installation.batch_items = runs
    for status, count in batches.items():
        _batches.labels(status).set(count)
    for state, count in items.items():
        _batch_items.labels(state).set(count)
    _oldest_batch.set(oldest_seconds)


def usage_stream_lag(entries: int) -> None:
    _stream_entries.set(entries)


def watch(
    *,
    open_exchanges: Callable[[], int],
    open_reservations: Callable[[], int],
    open_attempts: Callable[[], int],
    unacknowledged: Callable[[], int],
    replicas: Callable[[], int],
    spool_bytes: Callable[[], int],
    valkey_breaker_open: Callable[[], bool],
    open_circuits: Callable[[], int],
) -> None:
    """Ask these at every scrape, so that requests pay nothing for them."""
    _open_exchanges.set_function(open_exchanges)
    _open_reservations.set_function(open_reservations)
    _open_attempts.set_function(open_attempts)
    _unacknowledged.set_function(unacknowledged)
    _replicas.set_function(replicas)
    _spool_bytes.set_function(spool_bytes)
    _valkey_open.set_function(valkey_breaker_open)
    _open_circuits.set_function(open_circuits)


def exposition() -> bytes:
    """All figures in Prometheus' text format."""
    return generate_latest(REGISTRY)
