"""The state of circuits right now, as all processes together have seen them; for pages, changes nothing."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence

from django.conf import settings

from gateway.circuit_names import SLICE_SECONDS, WINDOW_SECONDS, circuit_key
from gateway.valkey_clients import Client, connect


@dataclasses.dataclass(frozen=True)
class CircuitGauge:
    """Attempts of the last 30 seconds, and for how many more seconds nobody goes there.

    `opened` stays true while it is half open: the pause is over and nothing has succeeded since.
    """

    succeeded: int = 0
    failed: int = 0
    opened: bool = False
    open_seconds: float = 0.0


def read(names: Sequence[str]) -> dict[str, CircuitGauge]:
    """A gauge for each name. Raises `redis.RedisError` while Valkey is away."""
    client = _client()
    seconds, microseconds = client.time()
    with client.pipeline(transaction=False) as pipeline:
        for name in names:
            pipeline.hgetall(circuit_key(name))
        stored = pipeline.execute() if names else []
    now = seconds * 1000 + microseconds / 1000
    return {name: _gauge(fields, now) for name, fields in zip(names, stored, strict=True)}


def _gauge(fields: Mapping[bytes, bytes], now: float) -> CircuitGauge:
    until = float(fields.get(b"open", 0))
    return CircuitGauge(
        succeeded=_counted(fields, b"s", now),
        failed=_counted(fields, b"f", now),
        opened=until > 0,
        open_seconds=max(0.0, until - now) / 1000,
    )


def _counted(fields: Mapping[bytes, bytes], letter: bytes, now: float) -> int:
    oldest = int(now / 1000 / SLICE_SECONDS) - WINDOW_SECONDS / SLICE_SECONDS + 1
    slices = ((name[1:], int(value)) for name, value in fields.items() if name[:1] == letter)
    return sum(count for at, count in slices if at.isdigit() and int(at) >= oldest)


@functools.cache
def _client() -> Client:
    return connect(settings.CONFIGURATION.redis_url, timeout=2)
