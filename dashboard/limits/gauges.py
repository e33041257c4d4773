"""Every rate limit that can block a request, by what counts together: how much is used now, and was in the last hour.

Of each limit the holder is shown that has least left, since that one binds; the others stand beside it.
"""

from __future__ import annotations

import dataclasses
import datetime
import math
from collections.abc import Callable, Mapping, Sequence

import redis
import structlog

from admin_api.queries import minute_usage
from admin_api.queries.batch_queues import queued_items
from admin_api.queries.limit_blocks import blocked_requests
from admin_api.queries.minute_usage import Minute
from admin_api.queries.rate_limits import Group, counted_together
from dashboard.charts.minute_line import MINUTE, MinuteLine, minute_line, starts
from dashboard.frame import figures
from dashboard.limits.holders import Chosen, Holder
from dashboard.limits.live import HIGH, LABELS, state_of
from gateway.limit_pools import BATCH, TOKEN_COUNT
from gateway.limiters import CONCURRENT, ENQUEUED
from gateway.limits import gauges
from gateway.limits.gauges import Gauge, Held

__all__ = ["HIGH", "Hour", "LimitGauges", "LimitGroup", "LimitRow", "read", "title_of"]

log = structlog.get_logger(__name__)

ALL_LABELS = {**LABELS, ENQUEUED: "Batch requests in the queue"}
TITLES = {BATCH: "Message batches", TOKEN_COUNT: "Counting tokens"}
MOST_MODELS = 6  # that are named

# What of a minute counts under a limit; the others have no line.
COUNTED: dict[str, Callable[[Minute], int]] = {
    "requests_per_minute": lambda minute: minute.requests,
    "tokens_per_minute": lambda minute: minute.input_tokens + minute.output_tokens,
    "input_tokens_per_minute": lambda minute: minute.input_tokens,
    "input_tokens_per_minute_cache_aware": lambda minute: minute.input_tokens,
    "output_tokens_per_minute": lambda minute: minute.output_tokens,
}


@dataclasses.dataclass(frozen=True)
class LimitRow:
    """One limit of one group. `others` say what other holders have left of it; `refused` are the requests that it
    turned away in the last hour, whoever's of the holders it was."""

    id: str
    label: str
    whose: str
    used: str
    limit: str
    exact: str
    used_percent: int
    state: str
    note: str
    others: list[str]
    line: MinuteLine | None
    refused: int


@dataclasses.dataclass(frozen=True)
class LimitGroup:
    """What counts together. `entry` is the id by which a workspace's limits of it are changed."""

    title: str
    entry: str
    models: Sequence[str]
    more_models: int
    rows: list[LimitRow]
    as_of: datetime.datetime

    @property
    def lined(self) -> list[LimitRow]:
        return [row for row in self.rows if row.line is not None]

    @property
    def minutes(self) -> list[tuple[datetime.datetime, list[int]]]:
        """What the lines show, the newest minute first; those in which nothing was used are left out."""
        values = zip(*(row.line.values for row in self.rows if row.line is not None), strict=True)
        found = [
            (at, list(cells)) for at, cells in zip(starts(self.as_of), values, strict=False) if any(cells)
        ]
        return found[::-1]


@dataclasses.dataclass(frozen=True)
class LimitGauges:
    """`available` is False while Valkey is away: what is used is not known then."""

    groups: list[LimitGroup]
    available: bool

    @property
    def rows(self) -> list[tuple[str, LimitRow]]:
        """Each with the title of its group."""
        return [(group.title, row) for group in self.groups for row in group.rows]

    @property
    def refused(self) -> int:
        return sum(row.refused for _, row in self.rows)

    @property
    def nearest(self) -> tuple[str, LimitRow] | None:
        """The limit of which most is used now."""
        used = [one for one in self.rows if one[1].used_percent]
        return max(used, key=lambda one: one[1].used_percent) if used else None

    @property
    def highest(self) -> tuple[str, LimitRow] | None:
        """The limit that some minute of the last hour came nearest to."""
        lined = [one for one in self.rows if one[1].line is not None]
        return max(lined, key=lambda one: one[1].line.percent if one[1].line else 0) if lined else None


@dataclasses.dataclass(frozen=True)
class Hour:
    """The last hour: what was used by pool and type of holder, and what limits refused by pool and limiter."""

    now: datetime.datetime
    minutes: Mapping[tuple[str, str], Sequence[Minute]]
    refused: Mapping[tuple[str, str], int]

    def line(self, pool: str, kind: str, name: str, limit: int) -> MinuteLine | None:
        if name not in COUNTED:
            return None
        counted = COUNTED[name]
        used = {minute.at: counted(minute) for minute in self.minutes.get((pool, kind), ())}
        return minute_line(used, limit, self.now)


def read(chosen: Chosen, now: datetime.datetime) -> LimitGauges:
    """All groups that the organization has models in, batches and counting tokens, as far as they are limited."""
    groups = counted_together(chosen.organization)
    try:
        found = _gauges(chosen, [group for group, _ in groups])
    except redis.RedisError as problem:
        log.warning("gauges_not_read", error=repr(problem))
        return LimitGauges([], available=False)
    hour = _hour(chosen, groups, now)
    shown = [
        _group(chosen, place, group, models, found, hour) for place, (group, models) in enumerate(groups)
    ]
    return LimitGauges([group for group in shown if group.rows], available=True)


def title_of(group: Group) -> str:
    return TITLES.get(group.pool) or group.display_name or group.pool


def _gauges(chosen: Chosen, groups: Sequence[Group]) -> dict[tuple[str, str], dict[str, Gauge]]:
    """By pool and type of holder; the queue of batches too, which is counted in their rows."""
    held = [
        Held(group.pool, holder.kind, holder.id, chosen.limits(holder.kind, group.pool))
        for group in groups
        for holder in chosen.holders
    ]
    read = gauges.read_all(chosen.organization.id, held)
    found = {(one.pool, one.kind): gauge for one, gauge in zip(held, read, strict=True)}
    queued = queued_items(chosen.organization, chosen.parts)
    for one in held:
        if one.pool == BATCH and ENQUEUED in one.limits:
            most = one.limits[ENQUEUED]
            found[one.pool, one.kind][ENQUEUED] = Gauge(most, max(0, most - queued[one.kind]), 0.0)
    return found


def _hour(chosen: Chosen, groups: Sequence[tuple[Group, Sequence[str]]], now: datetime.datetime) -> Hour:
    pools = {name: group.pool for group, models in groups for name in models}
    holders = [(holder.kind, holder.id) for holder in chosen.holders]
    first = starts(now)[0]
    minutes = minute_usage.minutes(
        chosen.organization, pools, holders, start=first, end=now.astimezone(datetime.UTC) + MINUTE
    )
    refused = blocked_requests(chosen.organization, now - 60 * MINUTE, **chosen.refused)
    return Hour(now, minutes, refused)


def _group(
    chosen: Chosen,
    place: int,
    group: Group,
    models: Sequence[str],
    found: Mapping[tuple[str, str], Mapping[str, Gauge]],
    hour: Hour,
) -> LimitGroup:
    rows = []
    for name in ALL_LABELS:
        standing = [
            (holder, found[group.pool, holder.kind][name])
            for holder in chosen.holders
            if name in found[group.pool, holder.kind]
        ]
        if standing:
            rows.append(_row(f"limit-{place}-{name}", group.pool, name, standing, hour))
    return LimitGroup(
        title=title_of(group),
        entry=group.entry_id(chosen.organization),
        models=models[:MOST_MODELS],
        more_models=max(0, len(models) - MOST_MODELS),
        rows=rows,
        as_of=hour.now,
    )


def _row(id: str, pool: str, name: str, standing: list[tuple[Holder, Gauge]], hour: Hour) -> LimitRow:
    """Where two have the same left, the narrower one binds: it comes last."""
    binding = min(reversed(standing), key=lambda one: one[1].remaining)
    holder, gauge = binding
    used = gauge.limit - gauge.remaining
    percent = min(100, max(0, round(used * 100 / gauge.limit)))
    return LimitRow(
        id=id,
        label=ALL_LABELS[name],
        whose=holder.name,
        used=figures.compact(used),
        limit=figures.compact(gauge.limit),
        exact=f"{figures.count(used)} of {figures.count(gauge.limit)}",
        used_percent=percent,
        state=state_of(percent),
        note=_note(name, gauge),
        others=[_other(*one) for one in standing if one is not binding],
        line=hour.line(pool, holder.kind, name, gauge.limit),
        refused=hour.refused.get((pool, name), 0),
    )


def _note(name: str, gauge: Gauge) -> str:
    left = figures.count(gauge.remaining)
    if name == CONCURRENT:
        return f"{left} more may start"
    if name == ENQUEUED:
        return f"{left} more may be sent in"
    return f"{left} left, {_refill(gauge)}"


def _refill(gauge: Gauge) -> str:
    if not gauge.resets_in_seconds:
        return "full"
    return f"full again in {figures.span(math.ceil(gauge.resets_in_seconds))}"


def _other(holder: Holder, gauge: Gauge) -> str:
    return f"{holder.name}: {figures.count(gauge.remaining)} of {figures.count(gauge.limit)} left"
