"""`POST /v1/responses`: OpenAI's Responses API as Codex and the SDK's basic calls use it, for every model."""

from __future__ import annotations

from gateway.consumers.openai_call import OpenAICallConsumer, asked_of
from gateway.engine.asked import Asked
from gateway.engine.surfaces.responses import Responses
from gateway.protocol.body import Body
from gateway.protocol.responses.request import responses_request
from gateway.protocol.responses.to_anthropic import DEFAULT_MAX_TOKENS


class ResponsesConsumer(OpenAICallConsumer):
    endpoint = "responses"

    def asked(self, body: Body) -> Asked:
        request = responses_request(body)
        return asked_of(request, Responses(request), default_output=DEFAULT_MAX_TOKENS)
