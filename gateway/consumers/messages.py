"""`POST /v1/messages`: Anthropic's Messages API."""

from __future__ import annotations

from gateway.consumers import headers as request_headers
from gateway.consumers.model_call import ModelCallConsumer
from gateway.engine.asked import Asked
from gateway.engine.surfaces.messages import MESSAGES
from gateway.protocol.anthropic.request import message_request
from gateway.protocol.body import Body


class MessagesConsumer(ModelCallConsumer):
    endpoint = "messages"

    def asked(self, body: Body) -> Asked:
        request = message_request(body)
        return Asked(body, request.model, request.max_tokens, request.stream, MESSAGES)

    def version(self) -> bytes:
        return request_headers.version_of(self.headers)

    def relayed(self, version: bytes) -> tuple[tuple[bytes, bytes], ...]:
        return request_headers.relayed(self.scope["headers"], version)

    @property
    def query(self) -> bytes:
        return bytes(self.scope["query_string"])
