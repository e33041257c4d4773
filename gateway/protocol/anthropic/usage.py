"""Usage as Anthropic reports it, in a message or cumulatively over a stream."""

from __future__ import annotations

import msgspec


class CacheCreation(msgspec.Struct):
    ephemeral_5m_input_tokens: int | None = None
    ephemeral_1h_input_tokens: int | None = None


class ServerToolUse(msgspec.Struct):
    web_search_requests: int | None = None


class OutputTokensDetails(msgspec.Struct):
    thinking_tokens: int | None = None


class Usage(msgspec.Struct):
    """The fields that are metered; null and absent mean the same. Source: contract of `Message.usage`."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation: CacheCreation | None = None
    server_tool_use: ServerToolUse | None = None
    service_tier: str | None = None
    inference_geo: str | None = None
    output_tokens_details: OutputTokensDetails | None = None

    def overwrite(self, later: Usage) -> None:
        """Take over what a later report of the same stream says: totals, so they replace and never add."""
        for name in self.__struct_fields__:
            value = getattr(later, name)
            if value is not None:
                setattr(self, name, value)

    @property
    def cache_write_5m(self) -> int:
        """What was written for five minutes; without a split all writes are (the default lifetime)."""
        written = self.cache_creation_input_tokens or 0
        return max(0, written - self.cache_write_1h)

    @property
    def cache_write_1h(self) -> int:
        return (self.cache_creation and self.cache_creation.ephemeral_1h_input_tokens) or 0
