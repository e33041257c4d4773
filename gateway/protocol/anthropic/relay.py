"""Reading a provider's answer on the side while its bytes go through unchanged.

`StreamReader` is feed/finish: chunks in, whole frames out, and what they told of usage, stop reason and end.
It never awaits, logs or reads the clock.
"""

from __future__ import annotations

import enum

import msgspec

from gateway.protocol import sse
from gateway.protocol.anthropic.usage import Usage


class Delta(msgspec.Struct):
    text: str = ""
    partial_json: str = ""
    thinking: str = ""
    signature: str = ""
    stop_reason: str | None = None


class StreamedMessage(msgspec.Struct):
    model: str = ""
    usage: Usage = msgspec.field(default_factory=Usage)


class StreamedError(msgspec.Struct):
    type: str = "api_error"
    message: str = ""


class Event(msgspec.Struct):
    """The parts of any stream event that are metered; unknown fields and types pass."""

    type: str
    delta: Delta | None = None
    message: StreamedMessage | None = None
    usage: Usage | None = None
    error: StreamedError | None = None


class Message(msgspec.Struct):
    """The parts of a whole `Message` that are metered."""

    usage: Usage
    stop_reason: str | None = None
    type: str = ""


class State(enum.Enum):
    WAITING = "nothing has come"
    OPEN = "message_start has come"
    DONE = "message_stop has come"
    FAILED = "an error event has come"


class MalformedStream(Exception):
    """The provider sent something that is not an Anthropic event stream."""


_event = msgspec.json.Decoder(Event)
_message = msgspec.json.Decoder(Message)


def read_message(body: bytes) -> Message | None:
    """What is metered of a JSON answer; None when it is not a whole message."""
    try:
        message = _message.decode(body)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError):
        return None
    return message if message.type == "message" else None


class StreamReader:
    """Follows one stream. `usage` and `stop_reason` are the latest told, `delivered` counts characters of output."""

    def __init__(self) -> None:
        self.state = State.WAITING
        self.usage = Usage()
        self.stop_reason: str | None = None
        self.error: StreamedError | None = None
        self.delivered = 0
        self.estimated = False
        self.unknown: list[tuple[str, str]] = []
        self.signatures: list[str] = []
        self._splitter = sse.FrameSplitter()

    @property
    def ended(self) -> bool:
        return self.state in (State.DONE, State.FAILED)

    def feed(self, chunk: bytes) -> bytes:
        """The whole frames that `chunk` completes, as they came; nothing after the stream has ended.

        Raises `MalformedStream`; the frames before the malformed one are then lost to the caller, which
        ends the stream with an error event anyway.
        """
        try:
            frames = self._splitter.feed(chunk)
        except sse.FrameTooLarge as problem:
            raise MalformedStream(str(problem)) from None
        for position, frame in enumerate(frames):
            data = sse.data_of(frame)
            if data is not None:
                self._read(data)
                if self.ended:
                    return b"".join(frames[: position + 1])
            elif not sse.is_empty(frame):
                raise MalformedStream("a frame that is no event")
        return frames[0] if len(frames) == 1 else b"".join(frames)

    def finish(self) -> bytes:
        """The provider's stream has ended; there is nothing to add, and `ended` tells whether it was whole."""
        return b""

    def _read(self, data: bytes) -> None:
        try:
            event = _event.decode(data)
        except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError) as problem:
            raise MalformedStream(str(problem)) from None
        kind = event.type
        if kind == "content_block_delta":
            delta = event.delta
            if delta is not None:
                self.delivered += len(delta.text) + len(delta.partial_json) + len(delta.thinking)
                if delta.signature:
                    self.signatures.append(delta.signature)
        elif kind == "message_start":
            self._start(event)
        elif kind == "message_delta":
            self._update(event)
        elif kind == "message_stop":
            self.state = State.DONE
        elif kind == "error":
            self.error = event.error or StreamedError()
            self.state = State.FAILED
        if self.state is State.WAITING and kind != "ping":
            raise MalformedStream(f"the stream began with {kind[:40]!r}")

    def _start(self, event: Event) -> None:
        self.state = State.OPEN
        if event.message is not None:
            self.usage.overwrite(event.message.usage)

    def _update(self, event: Event) -> None:
        if event.usage is not None:
            self.usage.overwrite(event.usage)
        if event.delta is not None and event.delta.stop_reason is not None:
            self.stop_reason = event.delta.stop_reason
