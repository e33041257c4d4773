"""One JSON line per data-plane request, written in batches: a log call a request would cost more than its limits.

No key, no prompt, no address of a provider: who (organization id), what, how it ended and how long it took.
"""

from __future__ import annotations

import asyncio
import functools
import sys
import time
from typing import Protocol

import msgspec

FLUSH_SECONDS = 0.2


class Answered(Protocol):
    @property
    def endpoint(self) -> str: ...
    @property
    def request_id(self) -> str: ...
    @property
    def status(self) -> int: ...
    @property
    def organization_id(self) -> str | None: ...


class Line(msgspec.Struct):
    time: str
    request_id: str
    endpoint: str
    status: int
    ms: float
    organization_id: str | None
    level: str = "info"
    event: str = "request"
    logger: str = "gateway.access"


_encoder = msgspec.json.Encoder()
_lines: list[bytes] = []
_enabled = True


def enable(enabled: bool) -> None:
    """Whether lines are written at all (`GATEWAY_ACCESS_LOG`)."""
    global _enabled
    _enabled = enabled


def write(request: Answered, seconds: float) -> None:
    if not _enabled:
        return
    line = Line(
        _now(),
        request.request_id,
        request.endpoint,
        request.status,
        round(seconds * 1000, 2),
        request.organization_id,
    )
    _lines.append(_encoder.encode(line))
    if len(_lines) == 1:
        asyncio.get_running_loop().call_later(FLUSH_SECONDS, flush)


def _now() -> str:
    seconds, milliseconds = divmod(time.time_ns() // 1_000_000, 1000)
    return f"{_second(seconds)}.{milliseconds:03d}Z"


@functools.lru_cache(maxsize=4)
def _second(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


def flush() -> None:
    """Write what has gathered."""
    stderr = sys.__stderr__ or sys.stderr
    if _lines:
        stderr.buffer.write(b"\n".join(_lines) + b"\n")
        stderr.buffer.flush()
        _lines.clear()
