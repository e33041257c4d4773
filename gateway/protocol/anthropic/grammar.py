"""The grammar of an Anthropic event stream, as a check on bytes while they pass.

    stream   = message_start  (block | ping)*  message_delta+  message_stop
             | any beginning of the above (none included), then one `error`
    block    = content_block_start  (content_block_delta | ping)*  content_block_stop     index 0, 1, 2, ...
    frame    = "event: <name>" LF "data: <one line of JSON whose type is the name>" LF LF

A provider may say more than this: events, kinds of blocks and deltas, and stop reasons that are not known yet,
pings anywhere, comments, other line ends, and a tool's input that the maximal length cut off. What the gateway
writes itself is held to the letter (`ours`).
"""

from __future__ import annotations

import enum
from typing import Annotated, Any, TypeVar

import msgspec

from gateway.protocol import sse

# The longest input of one tool that is kept to be read as a whole (of `ours` only); a longer one is not checked.
MAX_INPUT = 1024 * 1024

STOP_REASONS = frozenset(
    {"end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn", "refusal"}
    | {"model_context_window_exceeded", "compaction"}
)
# The deltas of each kind of block that is known, and the field that each carries.
_DELTAS = {
    "text": {"text_delta": "text", "citations_delta": "citation"},
    "thinking": {"thinking_delta": "thinking", "signature_delta": "signature"},
    "tool_use": {"input_json_delta": "partial_json"},
    "server_tool_use": {"input_json_delta": "partial_json"},
    "mcp_tool_use": {"input_json_delta": "partial_json"},
    "compaction": {"compaction_delta": "type"},  # its content may be null
}
_EMPTY = {"text": ("text", ""), "thinking": ("thinking", ""), "tool_use": ("input", {})}
_PING = b'{"type":"ping"}'

T = TypeVar("T")
Count = Annotated[int, msgspec.Meta(ge=0)]


class BrokenStream(Exception):
    """The stream is not one that an Anthropic client may be sent; the message says what is wrong where."""


class _Usage(msgspec.Struct):
    output_tokens: Count
    input_tokens: Count | None = None


class _Message(msgspec.Struct):
    type: str
    role: str
    id: str
    model: str
    content: list[object]
    stop_reason: str | None
    stop_sequence: str | None
    usage: _Usage


class _Delta(msgspec.Struct):
    type: str = ""
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    partial_json: str | None = None
    citation: object = None
    stop_reason: str | None = None
    stop_sequence: str | msgspec.UnsetType | None = msgspec.UNSET


class _Block(msgspec.Struct):
    type: str
    text: str | None = None
    thinking: str | None = None
    input: object = None


class _Error(msgspec.Struct):
    type: str
    message: str


class _Event(msgspec.Struct):
    type: str
    index: int | None = None
    message: _Message | None = None
    content_block: _Block | None = None
    delta: _Delta | None = None
    usage: _Usage | None = None
    error: _Error | None = None


class _Kind(msgspec.Struct):
    type: str


class Place(enum.Enum):
    BEGIN = "before message_start"
    BETWEEN = "between blocks"
    INSIDE = "inside a block"
    CLOSING = "after message_delta"
    ENDED = "after the end"


_kind = msgspec.json.Decoder(_Kind)
_event = msgspec.json.Decoder(_Event)
_object = msgspec.json.Decoder(dict[str, Any])


class Grammar:
    """Feed it the bytes of one stream, cut anywhere; both methods raise `BrokenStream`.

    It keeps one frame, one block's kind and at most `MAX_INPUT` characters of a tool's input.
    """

    def __init__(self, *, ours: bool = False) -> None:
        self.place = Place.BEGIN
        self.failed = False
        self._ours = ours
        self._splitter = sse.FrameSplitter()
        self._position = 0
        self._index = 0
        self._block = _Block("")
        self._input: list[str] | None = None
        self._input_length = 0

    def feed(self, chunk: bytes) -> None:
        try:
            frames = self._splitter.feed(chunk)
        except sse.FrameTooLarge as problem:
            raise BrokenStream(str(problem)) from None
        for frame in frames:
            try:
                self._frame(frame)
            except BrokenStream as problem:
                raise BrokenStream(f"event {self._position}: {problem} in {frame[:300]!r}") from None

    def finish(self) -> None:
        """The stream has ended; `failed` says whether in an error."""
        if self._splitter.rest.strip():
            raise BrokenStream(f"the last frame is not finished: {self._splitter.rest[:200]!r}")
        if self.place is not Place.ENDED:
            raise BrokenStream(f"the stream ends silently {self.place.value}")

    def _frame(self, frame: bytes) -> None:
        data = sse.data_of(frame)
        if data is not None:
            self._check_name(frame, data)
            self._position += 1
        elif not sse.is_empty(frame) or (self._ours and not frame.startswith(b":")):
            raise BrokenStream("a frame that is no event")

    def _check_name(self, frame: bytes, data: bytes) -> None:
        kind = _decoded(data, _kind).type
        name = kind.encode()
        if self._ours and frame != b"event: %b\ndata: %b\n\n" % (name, data):
            raise BrokenStream("not a frame of one event line and one data line")
        if _name_of(frame) != name:
            raise BrokenStream("the event's name is not its type")
        self._step(kind, data)

    def _step(self, kind: str, data: bytes) -> None:
        if self.place is Place.ENDED:
            raise BrokenStream("something follows the end")
        step = _STEPS.get(kind)
        if step is not None:
            step(self, _decoded(data, _event))
        elif kind != "ping":
            self._strange("event", kind)
        elif self._ours and (self.place is Place.BEGIN or data.replace(b" ", b"") != _PING):
            raise BrokenStream("a ping comes after message_start and carries nothing")

    def _strange(self, kind: str, name: str) -> None:
        if self._ours:
            raise BrokenStream(f"unknown {kind} {name!r}")

    def _must_be(self, *places: Place) -> None:
        if self.place not in places:
            raise BrokenStream(f"not allowed {self.place.value}")

    def _message_start(self, event: _Event) -> None:
        self._must_be(Place.BEGIN)
        message = event.message
        if message is None or (message.type, message.role, message.content) != ("message", "assistant", []):
            raise BrokenStream("not the head of a message")
        if not (message.id and message.model) or message.stop_reason or message.stop_sequence:
            raise BrokenStream("not the head of a message")
        if message.usage.input_tokens is None:
            raise BrokenStream("a message starts with usage.input_tokens")
        self.place = Place.BETWEEN

    def _content_block_start(self, event: _Event) -> None:
        self._must_be(Place.BETWEEN)
        self._check_index(event)
        block = event.content_block
        if block is None:
            raise BrokenStream("a start without a block")
        field, empty = _EMPTY.get(block.type, ("type", block.type))
        if self._ours and getattr(block, field) != empty:
            raise BrokenStream("a block starts empty")
        if block.type not in _DELTAS:
            self._strange("block", block.type)
        self._block, self._input, self._input_length = block, [], 0
        self.place = Place.INSIDE

    def _content_block_delta(self, event: _Event) -> None:
        self._must_be(Place.INSIDE)
        self._check_index(event)
        delta = event.delta
        if delta is None or not delta.type:
            raise BrokenStream("a delta without a type")
        known = _DELTAS.get(self._block.type)
        if known is not None and delta.type in known:
            if getattr(delta, known[delta.type]) is None:
                raise BrokenStream(f"a {delta.type} that says nothing")
        elif known is not None and any(delta.type in each for each in _DELTAS.values()):
            raise BrokenStream(f"a {delta.type} in a {self._block.type} block")
        else:
            self._strange("delta", delta.type)
        self._keep(delta.partial_json)

    def _keep(self, partial_json: str | None) -> None:
        """So that the input can be read once it is whole, unless it grows too long."""
        if partial_json and self._ours and self._input is not None:
            self._input_length += len(partial_json)
            self._input.append(partial_json)
            if self._input_length > MAX_INPUT or len(self._input) > MAX_INPUT // 64:
                self._input = None

    def _content_block_stop(self, event: _Event) -> None:
        self._must_be(Place.INSIDE)
        self._check_index(event)
        if self._input:
            try:
                _object.decode("".join(self._input))
            except (msgspec.MsgspecError, RecursionError):
                raise BrokenStream("the input of a tool is no object") from None
        self._index += 1
        self.place = Place.BETWEEN

    def _check_index(self, event: _Event) -> None:
        if event.index != self._index:
            raise BrokenStream(f"the index should be {self._index}")

    def _message_delta(self, event: _Event) -> None:
        self._must_be(Place.BETWEEN, Place.CLOSING)
        if event.delta is None or event.usage is None:
            raise BrokenStream("a message_delta has a delta and usage")
        if event.delta.stop_reason not in STOP_REASONS:
            self._strange("stop reason", str(event.delta.stop_reason))
        if self._ours and (self.place is Place.CLOSING or event.delta.stop_sequence is msgspec.UNSET):
            raise BrokenStream("one message_delta tells how the message stopped")
        self.place = Place.CLOSING

    def _message_stop(self, _: _Event) -> None:
        self._must_be(Place.CLOSING)
        self.place = Place.ENDED

    def _error(self, event: _Event) -> None:
        if event.error is None or not (event.error.type and event.error.message):
            raise BrokenStream("an error has a type and a message")
        self.failed = True
        self.place = Place.ENDED


_STEPS = {
    "message_start": Grammar._message_start,
    "content_block_start": Grammar._content_block_start,
    "content_block_delta": Grammar._content_block_delta,
    "content_block_stop": Grammar._content_block_stop,
    "message_delta": Grammar._message_delta,
    "message_stop": Grammar._message_stop,
    "error": Grammar._error,
}


def _decoded(data: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    try:
        return decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as problem:
        raise BrokenStream(str(problem)) from None


def _name_of(frame: bytes) -> bytes:
    """The name after `event:`, wherever it stands in the frame."""
    lines = frame.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    return next((line[6:].strip() for line in lines if line.startswith(b"event:")), b"")
