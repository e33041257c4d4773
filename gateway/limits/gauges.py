"""The state of an organization's limits right now, and of those of its parts, for pages; reads without changing
anything."""

from __future__ import annotations

import dataclasses
import functools
import uuid
from collections.abc import Mapping, Sequence

from django.conf import settings

from gateway.limit_pools import DEFAULT
from gateway.limiters import CONCURRENT, LIMITERS, Limiter
from gateway.scopes import PLACES, state_key
from gateway.valkey_clients import Client, connect


@dataclasses.dataclass(frozen=True)
class Gauge:
    """One limit: what it allows, what is left of it now, and seconds until it is whole again."""

    limit: int
    remaining: int
    resets_in_seconds: float


@dataclasses.dataclass(frozen=True)
class Held:
    """What one holder allows in one pool: `kind` is `organization`, `workspace` or `api_key`."""

    pool: str
    kind: str
    id: str
    limits: Mapping[str, int]


def read(organization_id: uuid.UUID, limits: Mapping[str, int], *, pool: str = DEFAULT) -> dict[str, Gauge]:
    """A gauge for each limit of the organization itself. Raises `redis.RedisError` while Valkey is away."""
    (found,) = read_all(organization_id, [Held(pool, "organization", str(organization_id), limits)])
    return found


def read_all(organization_id: uuid.UUID, holders: Sequence[Held]) -> list[dict[str, Gauge]]:
    """The same of several holders of one organization, in their order and in one round trip."""
    client = _client()
    seconds, microseconds = client.time()
    with client.pipeline(transaction=False) as pipeline:
        for one in holders:
            key = state_key(organization_id, one.pool, one.kind, one.id)
            pipeline.hgetall(key)
            pipeline.zrangebyscore(key + PLACES, "-inf", "+inf", withscores=True)
        answers = pipeline.execute()
    now = seconds * 1000 + microseconds / 1000
    pairs = zip(answers[::2], answers[1::2], strict=True)
    return [_gauges(one.limits, *pair, now) for one, pair in zip(holders, pairs, strict=True)]


def _gauges(
    limits: Mapping[str, int], stored: dict[bytes, bytes], leases: list[tuple[bytes, float]], now: float
) -> dict[str, Gauge]:
    gauges = {}
    for limiter in LIMITERS:
        if limiter.name in limits:
            gauges[limiter.name] = _bucket(limits[limiter.name], stored, limiter, now)
    if CONCURRENT in limits:
        held = sum(1 for _, deadline in leases if deadline > now)
        gauges[CONCURRENT] = Gauge(limits[CONCURRENT], max(0, limits[CONCURRENT] - held), 0.0)
    return gauges


def _bucket(limit: int, stored: dict[bytes, bytes], limiter: Limiter, now: float) -> Gauge:
    field = limiter.field.encode()
    if field not in stored:
        return Gauge(limit, limit, 0.0)
    elapsed = max(0.0, now - float(stored[b"at"]))
    level = min(float(limit), float(stored[field]) + elapsed * limit / limiter.window_ms)
    return Gauge(limit, max(0, int(level)), (limit - level) * limiter.window_ms / 1000 / limit)


@functools.cache
def _client() -> Client:
    return connect(settings.CONFIGURATION.redis_url, timeout=2)
