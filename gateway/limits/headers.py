"""The tenant's own `anthropic-ratelimit-*` headers, from the tightest scope of each limit."""

from __future__ import annotations

import functools
import time

from gateway.limits.admission import Admission

_NAMES = (b"requests", b"tokens", b"input-tokens", b"output-tokens")
_HEADERS = tuple(
    tuple(b"anthropic-ratelimit-%b-%b" % (name, part) for part in (b"limit", b"remaining", b"reset"))
    for name in _NAMES
)


def of(admission: Admission) -> list[tuple[bytes, bytes]]:
    """Limit, remaining (never below 0) and the time of full refill (RFC 3339, Z) of every limit that is set."""
    headers: list[tuple[bytes, bytes]] = []
    for n, names in enumerate(_HEADERS):
        tightest = None
        for state in admission.states:
            size = state.scope.limits[n]
            if size and (tightest is None or state.remaining[n] < tightest[1]):
                tightest = size, state.remaining[n]
        if tightest is not None:
            size, remaining = tightest
            full_at = admission.now_ms // 1000 + -(-(size - remaining) * 60 // size)
            headers.append((names[0], b"%d" % size))
            headers.append((names[1], b"%d" % max(0, remaining)))
            headers.append((names[2], _rfc3339(full_at)))
    return headers


@functools.lru_cache(maxsize=256)
def _rfc3339(second: int) -> bytes:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(second)).encode()
