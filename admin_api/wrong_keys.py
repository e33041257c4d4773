"""Wrong keys per client address within a minute, counted in one place with the data plane's.

While Valkey is away each process counts on its own.
"""

from __future__ import annotations

import functools
import threading
import time

import redis
import structlog
from django.conf import settings

from gateway.valkey_clients import Client, connect

log = structlog.get_logger(__name__)

ALLOWED = 20
WINDOW_MS = 60_000
TIMEOUT_SECONDS = 0.2

_alone: dict[str, tuple[float, int]] = {}
_lock = threading.Lock()


def count(address: str) -> int:
    """Count a wrong key from `address`; how many there were within a minute, this one included."""
    try:
        with _client().pipeline() as pipeline:
            pipeline.set(f"gw:guesses:{address}", 0, px=WINDOW_MS, nx=True)
            pipeline.incr(f"gw:guesses:{address}")
            return int(pipeline.execute()[1])
    except redis.RedisError as problem:
        log.warning("wrong_keys_counted_alone", error=str(problem))
        return _count_alone(address, time.monotonic())


def _count_alone(address: str, now: float) -> int:
    with _lock:
        for ended in [key for key, (until, _) in _alone.items() if until <= now]:
            del _alone[ended]
        until, counted = _alone.get(address, (now + WINDOW_MS / 1000, 0))
        _alone[address] = until, counted + 1
        return counted + 1


@functools.cache
def _client() -> Client:
    return connect(settings.CONFIGURATION.redis_url, timeout=TIMEOUT_SECONDS)
