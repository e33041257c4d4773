"""The tenant's own limits as headers, from the tightest scope of each: by Anthropic's names and by OpenAI's.

`tokens` is the limit of both kinds together, or where there is none what input and output leave in sum.
"""

from __future__ import annotations

import functools
import time

from gateway.limiters import LIMITERS
from gateway.limits.admission import Admission

Headers = list[tuple[bytes, bytes]]
Level = tuple[int, int]  # size and remaining; negative is a debt

_PARTS = (b"limit", b"remaining", b"reset")
_NAMES = (b"requests", b"tokens", b"input-tokens", b"output-tokens")
_LIMITERS = (
    ("requests_per_minute",),
    ("tokens_per_minute",),
    ("input_tokens_per_minute", "input_tokens_per_minute_cache_aware"),
    ("output_tokens_per_minute",),
)
_HEADERS = tuple(tuple(b"anthropic-ratelimit-%b-%b" % (name, part) for part in _PARTS) for name in _NAMES)
# OpenAI's clients know these two.
_OPENAI_HEADERS = tuple(tuple(b"x-ratelimit-%b-%b" % (part, name) for part in _PARTS) for name in _NAMES[:2])

# Tokens that are left are told in thousands; of a limit smaller than this, that would tell nothing.
_ROUNDED_FROM = 10_000


def of(admission: Admission) -> Headers:
    """Limit, remaining (never below 0) and the time of full refill (RFC 3339, Z) of every limit that is set."""
    headers: Headers = []
    for names, tightest in zip(_HEADERS, _tightest(admission), strict=True):
        if tightest is not None:
            size, remaining = tightest
            full_at = admission.now_ms // 1000 + -(-(size - remaining) * 60 // size)
            headers.append((names[0], b"%d" % size))
            if remaining < 0:
                remaining = 0
            elif size >= _ROUNDED_FROM and names is not _HEADERS[0]:
                remaining = min(size, (remaining + 500) // 1000 * 1000)
            headers.append((names[1], b"%d" % remaining))
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


def _tightest(admission: Admission) -> list[Level | None]:
    """Of each limit its level in the scope with the least left, if any has one."""
    tightest: list[Level | None] = [None, None, None, None]
    places = _places(admission.pool.used)
    for state in admission.states:
        sizes, remaining = state.scope.sizes, state.remaining
        for n, limiter, at in places:
            size, found = sizes[limiter], tightest[n]
            if size and (found is None or remaining[at] < found[1]):
                tightest[n] = size, remaining[at]
    requests, tokens, read, written = tightest
    if tokens is None and read is not None and written is not None:
        tokens = read[0] + written[0], max(0, read[1]) + max(0, written[1])
    return [requests, tokens, read, written]


@functools.lru_cache(maxsize=256)
def _places(used: tuple[int, ...]) -> tuple[tuple[int, int, int], ...]:
    """For each limiter that is used and told: which header, its place in `LIMITERS`, and its place in `used`."""
    return tuple(
        (n, limiter, used.index(limiter))
        for n, names in enumerate(_LIMITERS)
        for limiter, row in enumerate(LIMITERS)
        if row.name in names and limiter in used
    )


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
