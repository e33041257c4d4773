"""What both endpoints for clients of OpenAI's SDKs share: its errors and its name for the request's id."""

from __future__ import annotations

import msgspec

from gateway.consumers.model_call import ModelCallConsumer
from gateway.engine.asked import Asked
from gateway.engine.call import Surface
from gateway.engine.provider_error import ProviderError
from gateway.errors import GatewayError
from gateway.protocol.body import Body
from gateway.protocol.chat.errors import openai_envelope, retry_headers
from gateway.protocol.chat.request import ChatRequest
from gateway.protocol.responses.request import ResponsesRequest

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


def asked_of(request: ChatRequest | ResponsesRequest, surface: Surface, *, default_output: int) -> Asked:
    """What the engine needs to know; `prompt_cache_key` says which requests have a beginning in common."""
    return Asked(
        request.body,
        request.model,
        request.max_tokens,
        request.stream,
        surface,
        default_output=default_output,
        conversation=_conversation_of(request.body),
    )


def _conversation_of(body: Body) -> str:
    told = body.fields.get("prompt_cache_key")
    return _string.decode(told)[:200] if told is not None and bytes(told).startswith(b'"') else ""
