"""Clients of the Chat Completions API: relayed where the provider speaks it too, else retold."""

from __future__ import annotations

import time
from collections.abc import Mapping

from gateway.engine.passages.passage import Whole
from gateway.engine.passages.translated import Names
from gateway.engine.provider_error import ProviderError
from gateway.errors import GatewayError
from gateway.ids import new_completion_id
from gateway.protocol.chat.completion import chat_completion
from gateway.protocol.chat.errors import error_frame
from gateway.protocol.chat.relay import ChatRelay, relayed_completion
from gateway.protocol.chat.request import ChatRequest
from gateway.protocol.chat.stream import ChatChunks
from gateway.protocol.chat.to_openai import relayed_request
from gateway.protocol.openai.errors import error_from_openai, read

# The caller's own mistakes, which the provider may tell in its own words.
_CALLERS = {400, 404, 409, 413, 422}


class ChatRelayed:
    """A chat completions request to a provider that speaks the same: only the model's name changes, both ways."""

    endpoint = "chat/completions"

    def __init__(self, request: ChatRequest, *, names: Names, ask_usage: bool) -> None:
        self.body = relayed_request(request, model=names.upstream, ask_usage=ask_usage)
        self.dropped: tuple[str, ...] = ()
        self.content_type = b"text/event-stream; charset=utf-8" if request.stream else b"application/json"
        self._include_usage = request.include_usage
        self._model = names.catalog

    def whole(self, body: bytes) -> Whole:
        answer = relayed_completion(body, model=self._model)
        return Whole(answer.body, answer.usage, answer.stop_reason, estimated=answer.estimated)

    def reader(self) -> ChatRelay:
        return ChatRelay(model=self._model, include_usage=self._include_usage)

    def refusal(self, status: int, body: bytes, headers: Mapping[str, str]) -> GatewayError:
        error = error_from_openai(status, body, headers=headers)
        if status in _CALLERS and error.status in _CALLERS and read(body) is not None:
            return ProviderError(status, body, error.type, error.message, dict(headers), dialect="openai")
        return error

    def error_event(self, error_type: str, message: str) -> bytes:
        return error_frame(error_type, message)


class ChatNarrator:
    """Tells Anthropic's answers as chat completions."""

    def __init__(self, request: ChatRequest, *, model: str) -> None:
        self._completion_id = new_completion_id()
        self._model = model
        self._created = int(time.time())
        self._functions = request.functions
        self._chunks = ChatChunks(
            completion_id=self._completion_id,
            model=model,
            created=self._created,
            include_usage=request.include_usage,
            functions=request.functions,
        )

    def whole(self, message: bytes) -> bytes:
        return chat_completion(
            message,
            completion_id=self._completion_id,
            model=self._model,
            created=self._created,
            functions=self._functions,
        )

    def feed(self, frames: bytes) -> bytes:
        return self._chunks.feed(frames)

    def error(self, error_type: str, message: str) -> bytes:
        return error_frame(error_type, message)
