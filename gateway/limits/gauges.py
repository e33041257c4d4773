"""The state of an organization's limits right now, for pages; reads without changing anything."""

from __future__ import annotations

import dataclasses
import functools
import uuid
from collections.abc import Mapping

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


def read(organization_id: uuid.UUID, limits: Mapping[str, int], *, pool: str = DEFAULT) -> dict[str, Gauge]:
    """A gauge for each limit in `limits`. Raises `redis.RedisError` while Valkey is away."""
    key = state_key(organization_id, pool, "organization", str(organization_id))
    client = _client()
    seconds, microseconds = client.time()
    with client.pipeline(transaction=False) as pipeline:
        pipeline.hgetall(key)
        pipeline.zrangebyscore(key + PLACES, "-inf", "+inf", withscores=True)
        stored, leases = pipeline.execute()
    now = seconds * 1000 + microseconds / 1000
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
