"""What both endpoints for clients of OpenAI's SDKs share: its errors and its name for the request's id."""

from __future__ import annotations

import msgspec

from gateway.consumers.model_call import ModelCallConsumer
from gateway.engine.provider_error import ProviderError
from gateway.errors import GatewayError
from gateway.protocol.body import Body
from gateway.protocol.chat.errors import openai_envelope, retry_headers

_string = msgspec.json.Decoder(str)


class OpenAICallConsumer(ModelCallConsumer):
    def told(self, error: GatewayError) -> tuple[int, bytes]:
        if isinstance(error, ProviderError) and error.dialect == "openai":
            return error.status, error.body
        error.headers.update(retry_headers(error))
        return openai_envelope(error)

    async def start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        headers.append((b"x-request-id", self.request_id.encode()))
        await super().start(status, headers)


def conversation_of(body: Body) -> str:
    """`prompt_cache_key`, by which these clients say which requests have a beginning in common."""
    told = body.fields.get("prompt_cache_key")
    return _string.decode(told)[:200] if told is not None and bytes(told).startswith(b'"') else ""
