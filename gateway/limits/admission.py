"""What comes of asking the limiter: the state of every limit, and the one that refuses, if any."""

from __future__ import annotations

import math

import msgspec

from gateway.errors import RateLimited
from gateway.principal import LIMITS, Scope

_WHOSE = {"organization": "your organization's", "workspace": "your workspace's", "api_key": "your API key's"}
_WHAT = {
    "requests_per_minute": "requests per minute",
    "tokens_per_minute": "tokens per minute",
    "input_tokens_per_minute": "input tokens per minute",
    "output_tokens_per_minute": "output tokens per minute",
    "concurrent_requests": "concurrent requests",
}


class ScopeState(msgspec.Struct, frozen=True):
    """What is left under one scope: whole units in each bucket (may be negative: a debt), and leases held."""

    scope: Scope
    remaining: tuple[int, int, int, int]
    held: int


class Refusal(msgspec.Struct, frozen=True):
    """The limit that a request would have to wait for longest, and how long, in milliseconds."""

    scope: Scope
    limit: str
    wait_ms: int

    def error(self) -> RateLimited:
        """The 429 that names the limit; `retry-after` in whole seconds is enough to wait."""
        value = self.scope.limits[LIMITS.index(self.limit)]
        message = (
            f"This request would exceed {_WHOSE[self.scope.kind]} rate limit of {value:,} {_WHAT[self.limit]} "
            f"({self.limit}). Please try again later."
        )
        return RateLimited(message, headers={"retry-after": str(max(1, math.ceil(self.wait_ms / 1000)))})


class Admission(msgspec.Struct):
    """An answer of the limiter. `lease` and the two reservations (tokens) go back at settlement.

    `local` marks an answer that this process gave on its own because Valkey was away.
    """

    lease: str
    scopes: tuple[Scope, ...]
    input_tokens: int
    output_tokens: int
    now_ms: int
    states: tuple[ScopeState, ...]
    refusal: Refusal | None = None
    local: bool = False
