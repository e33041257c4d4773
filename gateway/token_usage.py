"""Tokens as they are counted and charged: five classes, for each of which a model has a price of its own."""

from __future__ import annotations

import msgspec


class TokenUsage(msgspec.Struct, frozen=True):
    """`input_tokens` is uncached input."""

    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    output_tokens: int = 0

    @property
    def prompt_tokens(self) -> int:
        """The whole prompt, wherever it was read from."""
        written = self.cache_write_5m_tokens + self.cache_write_1h_tokens
        return self.input_tokens + self.cache_read_tokens + written
