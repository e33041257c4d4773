"""The passage of one call to one target: what the provider is sent, and what becomes of its answer.

Every pair of a client's way of speaking and a provider's dialect has one; the engine only knows this interface.

    client            provider            passage
    Messages          anthropic           `relayed.py`: bytes through, read on the side
    Messages          openai              `translated.py`
    Chat, Responses   openai              Chat is relayed too (`chat.py`)
    Chat, Responses   any other           told in Anthropic's words, sent by one of the first two, and the answer
                                          told again in the client's (`retold.py`)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from gateway.errors import GatewayError
from gateway.protocol.anthropic.relay import State, StreamedError
from gateway.protocol.anthropic.usage import Usage


class Whole(msgspec.Struct, frozen=True):
    """A JSON answer for the client, and what is metered of it. `estimated`: not all figures are the provider's.

    `source` is the message in Anthropic's words where `body` tells it in others.
    """

    body: bytes
    usage: Usage
    stop_reason: str | None
    estimated: bool = False
    unknown: tuple[tuple[str, str], ...] = ()
    source: bytes | None = None


class Reader(Protocol):
    """A provider's stream on its way to the client: chunks in, whole frames out.

    `feed` and `finish` raise `MalformedStream` for what cannot be read. `usage` and `stop_reason` are final once
    `state` is DONE; `delivered` counts characters of output; `unknown` names what was not understood: (kind, name).
    """

    @property
    def state(self) -> State: ...
    @property
    def usage(self) -> Usage: ...
    @property
    def stop_reason(self) -> str | None: ...
    @property
    def error(self) -> StreamedError | None: ...
    @property
    def delivered(self) -> int: ...
    @property
    def estimated(self) -> bool: ...
    @property
    def unknown(self) -> list[tuple[str, str]]: ...
    @property
    def signatures(self) -> list[str]:
        """Those of thinking blocks that a provider of the Anthropic dialect signed."""
        ...

    @property
    def ended(self) -> bool: ...

    def feed(self, chunk: bytes) -> bytes: ...
    def finish(self) -> bytes: ...


class Passage(Protocol):
    """`endpoint` and `body` go to the provider; `dropped` names what of the request does not reach it."""

    @property
    def endpoint(self) -> str: ...
    @property
    def body(self) -> bytes: ...
    @property
    def dropped(self) -> Sequence[str]: ...
    @property
    def content_type(self) -> bytes | None:
        """That of the answer, or None where the provider's own goes through."""
        ...

    def whole(self, body: bytes) -> Whole | None:
        """A 200 that was not streamed; None for what is no message. Raises `GatewayError`."""
        ...

    def reader(self) -> Reader: ...

    def refusal(self, status: int, body: bytes, headers: Mapping[str, str]) -> GatewayError:
        """An answer other than 200; `headers` say when to try again."""
        ...

    def error_event(self, error_type: str, message: str) -> bytes:
        """The last thing of a stream that the gateway has to break off."""
        ...
