"""Listening in on an attempt, for what a tenant is not told but an operator wants to know."""

from __future__ import annotations

import time
from collections.abc import Mapping

from gateway.directory.catalog import Target
from gateway.engine.call import Call
from gateway.engine.dialects import Dialects, Reply
from gateway.engine.passages.passage import Passage, Reader, Whole
from gateway.errors import GatewayError


class HeardDialects(Dialects):
    """Keeps of the one reply that it brings when its head came (`time.perf_counter`), status and content type."""

    head_at: float | None = None
    status: int | None = None
    content_type: str = ""

    async def send(self, call: Call, target: Target, passage: Passage, *, first_byte: float) -> Reply:
        reply = await super().send(call, target, passage, first_byte=first_byte)
        self.head_at, self.status = time.perf_counter(), reply.status
        told = {name.lower(): value.decode("latin-1") for name, value in reply.headers}
        self.content_type = told.get(b"content-type", "")
        return reply


class HeardPassage:
    """A passage that keeps the body of a refusal or of a whole answer, as the provider sent it."""

    heard: bytes = b""

    def __init__(self, inner: Passage) -> None:
        self.endpoint, self.body = inner.endpoint, inner.body
        self.dropped, self.content_type = inner.dropped, inner.content_type
        self._inner = inner

    def whole(self, body: bytes) -> Whole | None:
        self.heard = body
        return self._inner.whole(body)

    def reader(self) -> Reader:
        return self._inner.reader()

    def refusal(self, status: int, body: bytes, headers: Mapping[str, str]) -> GatewayError:
        self.heard = body
        return self._inner.refusal(status, body, headers)

    def error_event(self, error_type: str, message: str) -> bytes:
        return self._inner.error_event(error_type, message)
