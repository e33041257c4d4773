"""The tenant's own limits as headers, from the tightest scope of each: by Anthropic's names and by OpenAI's."""

from __future__ import annotations

import functools
import time

from gateway.limits.admission import Admission

Headers = list[tuple[bytes, bytes]]

_PARTS = (b"limit", b"remaining", b"reset")
_NAMES = (b"requests", b"tokens", b"input-tokens", b"output-tokens")
_HEADERS = tuple(tuple(b"anthropic-ratelimit-%b-%b" % (name, part) for part in _PARTS) for name in _NAMES)
# OpenAI's clients know these two.
_OPENAI_HEADERS = tuple(tuple(b"x-ratelimit-%b-%b" % (part, name) for part in _PARTS) for name in _NAMES[:2])


def of(admission: Admission) -> Headers:
    """Limit, remaining (never below 0) and the time of full refill (RFC 3339, Z) of every limit that is set."""
    headers: Headers = []
    for names, tightest in zip(_HEADERS, _tightest(admission), strict=True):
        if tightest is not None:
            size, remaining = tightest
            full_at = admission.now_ms // 1000 + -(-(size - remaining) * 60 // size)
            headers.append((names[0], b"%d" % size))
            headers.append((names[1], b"%d" % max(0, remaining)))
            headers.append((names[2], _rfc3339(full_at)))
    return headers


def openai(admission: Admission) -> Headers:
    """The same of requests and tokens as OpenAI tells it: until the full refill is a duration such as `6m0s`."""
    headers: Headers = []
    for names, tightest in zip(_OPENAI_HEADERS, _tightest(admission)[:2], strict=True):
        if tightest is not None:
            size, remaining = tightest
            headers.append((names[0], b"%d" % size))
            headers.append((names[1], b"%d" % max(0, remaining)))
            headers.append((names[2], _duration(-(-(size - remaining) * 60_000 // size))))
    return headers


def _tightest(admission: Admission) -> list[tuple[int, int] | None]:
    """Of each limit size and remaining (negative: a debt) in the scope with the least left, if any has one."""
    tightest: list[tuple[int, int] | None] = [None, None, None, None]
    for state in admission.states:
        limits, remaining = state.scope.limits, state.remaining
        for n in range(4):
            found = tightest[n]
            if limits[n] and (found is None or remaining[n] < found[1]):
                tightest[n] = limits[n], remaining[n]
    return tightest


@functools.lru_cache(maxsize=256)
def _rfc3339(second: int) -> bytes:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(second)).encode()


def _duration(milliseconds: int) -> bytes:
    """Thousandths where it is less than a second, from there on whole seconds, rounded up."""
    if milliseconds < 1000:
        return b"%dms" % milliseconds if milliseconds else b"0s"
    minutes, seconds = divmod(-(-milliseconds // 1000), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return b"%dh%dm%ds" % (hours, minutes, seconds)
    return b"%dm%ds" % (minutes, seconds) if minutes else b"%ds" % seconds
