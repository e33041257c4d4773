"""Everything that can be limited, as rows: what it is called, what it counts, and how long its window is.

The rows are buckets that hold one window's worth and refill continuously; two further limits are numbers at once.
"""

from __future__ import annotations

import msgspec

MINUTE_MS = 60_000


class Limiter(msgspec.Struct, frozen=True):
    """`words` says what is counted, as in "50 requests per minute"; `field` is its name in Valkey, a letter."""

    name: str
    words: str
    field: str
    window_ms: int


# What is counted as input: tokens that were not read from a prompt cache, and those written to one. Both names of the
# input limit count that, as Anthropic does for its current models.
LIMITERS = (
    Limiter("requests_per_minute", "requests per minute", "r", MINUTE_MS),
    Limiter("tokens_per_minute", "tokens per minute", "t", MINUTE_MS),
    Limiter("input_tokens_per_minute", "input tokens per minute", "i", MINUTE_MS),
    Limiter("input_tokens_per_minute_cache_aware", "input tokens per minute", "c", MINUTE_MS),
    Limiter("output_tokens_per_minute", "output tokens per minute", "o", MINUTE_MS),
    Limiter("tokens_per_day", "tokens per day", "d", 24 * 60 * MINUTE_MS),
    Limiter("tool_uses_per_second", "tool uses per second", "u", 1_000),  # web searches by the provider
    Limiter(
        "fast_itpmca", "input tokens per minute in fast mode", "f", MINUTE_MS
    ),  # of requests with speed: fast
    Limiter("fast_otpm", "output tokens per minute in fast mode", "g", MINUTE_MS),
)

# How many requests may be under way at once: places that are held, no bucket.
CONCURRENT = "concurrent_requests"
CONCURRENT_WORDS = "concurrent requests"

# How many items of message batches may wait or run, counted when another batch is taken in.
ENQUEUED = "enqueued_batch_requests"

LIMIT_NAMES = (*[limiter.name for limiter in LIMITERS], CONCURRENT, ENQUEUED)


class Amounts(msgspec.Struct, frozen=True):
    """What one request takes: tokens of counted input and of output, and tool uses. `fast` is the mode."""

    input_tokens: int = 0
    output_tokens: int = 0
    tool_uses: int = 0
    fast: bool = False

    def by_limiter(self) -> tuple[int, ...]:
        """In the order of `LIMITERS`."""
        read, written = self.input_tokens, self.output_tokens
        both = read + written
        fast_read, fast_written = (read, written) if self.fast else (0, 0)
        return (1, both, read, read, written, both, self.tool_uses, fast_read, fast_written)
