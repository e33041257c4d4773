"""An Anthropic request to a provider that speaks the OpenAI dialect, and its answer in Anthropic's words."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from gateway.engine.passages.passage import Whole
from gateway.errors import GatewayError
from gateway.ids import new_message_id
from gateway.protocol.anthropic import errors as wire_errors
from gateway.protocol.anthropic.request import MessageRequest
from gateway.protocol.openai.errors import error_from_openai
from gateway.protocol.openai.profile import Profile
from gateway.protocol.openai.request import openai_request
from gateway.protocol.openai.response import anthropic_message
from gateway.protocol.openai.stream import OpenAIStream
from gateway.tokens.quick import quick_estimate


class Names(msgspec.Struct, frozen=True):
    """The model as the client is told it (`catalog`), and as the provider knows it (`upstream`)."""

    catalog: str
    upstream: str


class Translated:
    """Raises `InvalidRequest` for what cannot be carried."""

    endpoint = "chat/completions"

    def __init__(
        self,
        request: MessageRequest,
        *,
        names: Names,
        profile: Profile,
        max_output_tokens: int | None,
        request_id: str,
    ) -> None:
        written = openai_request(
            request, model=names.upstream, profile=profile, max_output_tokens=max_output_tokens
        )
        self.body, self.dropped = written.body, written.dropped
        self.content_type = b"text/event-stream; charset=utf-8" if request.stream else b"application/json"
        self._written = written
        self._model = names.catalog
        self._estimate = quick_estimate(request.body.raw)
        self._request_id = request_id
        self._message_id = new_message_id()

    def whole(self, body: bytes) -> Whole:
        answer = anthropic_message(
            body,
            message_id=self._message_id,
            model=self._model,
            input_estimate=self._estimate,
            tool_names=self._written.tool_names,
            stop_sequences=self._written.stop_sequences,
        )
        return Whole(
            answer.body,
            answer.usage,
            answer.stop_reason,
            estimated=answer.estimated,
            unknown=answer.unknown,
        )

    def reader(self) -> OpenAIStream:
        return OpenAIStream(
            message_id=self._message_id,
            model=self._model,
            input_estimate=self._estimate,
            tool_names=self._written.tool_names,
            stop_sequences=self._written.stop_sequences,
            request_id=self._request_id,
        )

    def refusal(self, status: int, body: bytes, headers: Mapping[str, str]) -> GatewayError:
        return error_from_openai(status, body, headers=headers)

    def error_event(self, error_type: str, message: str) -> bytes:
        return wire_errors.error_event(error_type, message, self._request_id)
