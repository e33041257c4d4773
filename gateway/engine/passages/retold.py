"""A passage for a client that does not speak Anthropic's dialect: the answer is told again in its own words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from gateway.engine.passages.passage import Passage, Reader, Whole
from gateway.errors import GatewayError
from gateway.protocol.anthropic.relay import State, StreamedError
from gateway.protocol.anthropic.usage import Usage


class Narrator(Protocol):
    """Tells one answer: a whole message, or whole Anthropic events as they come."""

    def whole(self, message: bytes) -> bytes: ...
    def feed(self, frames: bytes) -> bytes: ...
    def error(self, error_type: str, message: str) -> bytes: ...


class Retold:
    """`inner` speaks with the provider; `dropped` is what the way into Anthropic's words left out already."""

    def __init__(self, inner: Passage, narrator: Narrator, *, stream: bool, dropped: Sequence[str]) -> None:
        self.endpoint, self.body = inner.endpoint, inner.body
        self.dropped = (*dropped, *inner.dropped)
        self.content_type = b"text/event-stream; charset=utf-8" if stream else b"application/json"
        self._inner = inner
        self._narrator = narrator

    def whole(self, body: bytes) -> Whole | None:
        whole = self._inner.whole(body)
        if whole is None:
            return None
        return msgspec.structs.replace(whole, body=self._narrator.whole(whole.body), source=whole.body)

    def reader(self) -> RetoldReader:
        return RetoldReader(self._inner.reader(), self._narrator)

    def refusal(self, status: int, body: bytes, headers: Mapping[str, str]) -> GatewayError:
        return self._inner.refusal(status, body, headers)

    def error_event(self, error_type: str, message: str) -> bytes:
        return self._narrator.error(error_type, message)


class RetoldReader:
    """The provider's stream as the inner reader understands it; what goes out are the narrator's frames."""

    def __init__(self, inner: Reader, narrator: Narrator) -> None:
        self._inner = inner
        self._narrator = narrator

    def feed(self, chunk: bytes) -> bytes:
        return self._narrator.feed(self._inner.feed(chunk))

    def finish(self) -> bytes:
        return self._narrator.feed(self._inner.finish())

    @property
    def state(self) -> State:
        return self._inner.state

    @property
    def usage(self) -> Usage:
        return self._inner.usage

    @property
    def stop_reason(self) -> str | None:
        return self._inner.stop_reason

    @property
    def error(self) -> StreamedError | None:
        return self._inner.error

    @property
    def delivered(self) -> int:
        return self._inner.delivered

    @property
    def estimated(self) -> bool:
        return self._inner.estimated

    @property
    def unknown(self) -> list[tuple[str, str]]:
        return self._inner.unknown

    @property
    def signatures(self) -> list[str]:
        return self._inner.signatures

    @property
    def ended(self) -> bool:
        return self._inner.ended
