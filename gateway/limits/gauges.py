"""The state of an organization's limits right now, for pages; reads without changing anything."""

from __future__ import annotations

import dataclasses
import functools
import uuid

import redis
from django.conf import settings

_FIELDS = {
    "requests_per_minute": b"r",
    "tokens_per_minute": b"t",
    "input_tokens_per_minute": b"i",
    "output_tokens_per_minute": b"o",
}


@dataclasses.dataclass(frozen=True)
class Gauge:
    """One limit: what it allows, what is left of it now, and seconds until it is whole again."""

    limit: int
    remaining: int
    resets_in_seconds: float


def read(organization_id: uuid.UUID, limits: dict[str, int]) -> dict[str, Gauge]:
    """A gauge for each limit in `limits`. Raises `redis.RedisError` while Valkey is away."""
    key = f"gw:{{{organization_id}}}:limit:organization"
    with _client().pipeline(transaction=False) as pipeline:
        pipeline.time()
        pipeline.hgetall(key)
        pipeline.zrangebyscore(key + ":leases", "-inf", "+inf", withscores=True)
        (seconds, microseconds), stored, leases = pipeline.execute()
    now = seconds * 1000 + microseconds / 1000
    gauges = {}
    for name, limit in limits.items():
        if name == "concurrent_requests":
            held = sum(1 for _, deadline in leases if deadline > now)
            gauges[name] = Gauge(limit, max(0, limit - held), 0.0)
        else:
            gauges[name] = _bucket(limit, stored, _FIELDS[name], now)
    return gauges


def _bucket(limit: int, stored: dict[bytes, bytes], field: bytes, now: float) -> Gauge:
    if field not in stored:
        return Gauge(limit, limit, 0.0)
    elapsed = max(0.0, now - float(stored[b"at"]))
    level = min(float(limit), float(stored[field]) + elapsed * limit / 60_000)
    return Gauge(limit, max(0, int(level)), (limit - level) * 60 / limit)


@functools.cache
def _client() -> redis.Redis:
    return redis.Redis.from_url(settings.CONFIGURATION.redis_url, socket_timeout=2, socket_connect_timeout=2)
