"""`POST /v1/chat/completions`: OpenAI's Chat Completions API, for every model."""

from __future__ import annotations

from gateway.consumers.openai_call import OpenAICallConsumer, asked_of
from gateway.engine.asked import Asked
from gateway.engine.surfaces.chat_completions import ChatCompletions
from gateway.protocol.body import Body
from gateway.protocol.chat.request import chat_request
from gateway.protocol.chat.to_anthropic import DEFAULT_MAX_TOKENS


class ChatCompletionsConsumer(OpenAICallConsumer):
    endpoint = "chat/completions"

    def asked(self, body: Body) -> Asked:
        request = chat_request(body)
        return asked_of(request, ChatCompletions(request), default_output=DEFAULT_MAX_TOKENS)
