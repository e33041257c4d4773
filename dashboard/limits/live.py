"""The organization's limits with what is left of each right now, ready to be drawn."""

from __future__ import annotations

import dataclasses
import datetime
import math

import redis
import structlog

from dashboard.frame import figures
from gateway.limit_pools import DEFAULT
from gateway.limits import gauges
from gateway.limits.gauges import Gauge
from gateway.models import ModelGroup, Organization

log = structlog.get_logger(__name__)

LABELS = {
    "requests_per_minute": "Requests per minute",
    "tokens_per_minute": "Tokens per minute",
    "input_tokens_per_minute": "Input tokens per minute",
    "input_tokens_per_minute_cache_aware": "Input tokens per minute",
    "output_tokens_per_minute": "Output tokens per minute",
    "tokens_per_day": "Tokens per day",
    "tool_uses_per_second": "Tool uses per second",
    "fast_itpmca": "Input tokens per minute in fast mode",
    "fast_otpm": "Output tokens per minute in fast mode",
    "concurrent_requests": "Concurrent requests",
}
HIGH = 75  # percent used from which a gauge changes its colour and says so
FULL = 95


@dataclasses.dataclass(frozen=True)
class Meter:
    """`used_percent` is a whole number from 0 to 100; `state` is `calm`, `high` or `full`."""

    name: str
    label: str
    used: str
    limit: str
    left: str
    used_percent: int
    state: str
    note: str


@dataclasses.dataclass(frozen=True)
class LiveLimits:
    """`available` is False while Valkey is away: there is nothing to draw then."""

    tier: str
    as_of: datetime.datetime
    meters: list[Meter]
    available: bool


def read(organization: Organization, now: datetime.datetime) -> LiveLimits:
    """The limits of models without a group, and of each group in which anything is used."""
    groups = ModelGroup.objects.order_by("name").values_list("name", "display_name")
    try:
        meters = _meters(organization, DEFAULT, "")
        for pool, display_name in groups:
            grouped = _meters(organization, pool, f"{display_name}: ")
            meters += grouped if any(meter.used_percent for meter in grouped) else []
    except redis.RedisError as problem:
        log.warning("gauges_not_read", error=repr(problem))
        return LiveLimits(organization.tier.name, now, [], available=False)
    return LiveLimits(organization.tier.name, now, meters, available=True)


def _meters(organization: Organization, pool: str, whose: str) -> list[Meter]:
    limits = {name: value for name, value in organization.effective_limits(pool).items() if name in LABELS}
    found = gauges.read(organization.id, limits, pool=pool)
    return [_meter(name, found[name], whose) for name in LABELS if name in found]


def _meter(name: str, gauge: Gauge, whose: str) -> Meter:
    used = gauge.limit - gauge.remaining
    percent = min(100, max(0, round(used * 100 / gauge.limit)))
    state = state_of(percent)
    return Meter(
        name=name,
        label=whose + LABELS[name],
        used=figures.compact(used),
        limit=figures.compact(gauge.limit),
        left=figures.count(gauge.remaining),
        used_percent=percent,
        state=state,
        note=_note(name, gauge, state),
    )


def state_of(percent: int) -> str:
    return "full" if percent >= FULL else "high" if percent >= HIGH else "calm"


def _note(name: str, gauge: Gauge, state: str) -> str:
    full = "Nearly used up. " if gauge.remaining > 0 else "Used up: requests are refused. "
    warning = {"calm": "", "high": "Filling up. ", "full": full}[state]
    if name == "concurrent_requests":
        return warning + f"{figures.count(gauge.remaining)} more may start"
    refill = f", full again in {math.ceil(gauge.resets_in_seconds)} s" if gauge.resets_in_seconds else ""
    return warning + f"{figures.count(gauge.remaining)} left{refill}"
