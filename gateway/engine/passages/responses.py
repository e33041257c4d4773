"""Clients of the Responses API: every provider's answer is retold from Anthropic's words."""

from __future__ import annotations

import time

from gateway.ids import new_id
from gateway.protocol.responses.request import ResponsesRequest
from gateway.protocol.responses.response import response_object
from gateway.protocol.responses.stream import ResponsesEvents


class ResponsesNarrator:
    """Tells Anthropic's answers as responses."""

    def __init__(self, request: ResponsesRequest, *, model: str) -> None:
        self._request = request
        self._response_id = new_id("resp")
        self._model = model
        self._created = int(time.time())
        self._events = ResponsesEvents(
            request=request, response_id=self._response_id, model=model, created=self._created
        )

    def whole(self, message: bytes) -> bytes:
        return response_object(
            message,
            request=self._request,
            response_id=self._response_id,
            model=self._model,
            created=self._created,
        )

    def feed(self, frames: bytes) -> bytes:
        return self._events.feed(frames)

    def error(self, error_type: str, message: str) -> bytes:
        return self._events.error(error_type, message)
