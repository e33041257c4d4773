"""A stream of Anthropic events told again as Responses events, as it comes.

    what comes                  what goes out
    message_start               response.created, response.in_progress
    a text block                output_item.added, content_part.added, output_text.delta ...
    a thinking block            output_item.added, reasoning_summary_part.added, reasoning_summary_text.delta ...
    a tool_use block            output_item.added, function_call_arguments.delta ...
    a block's end               nothing, until what comes next tells whether it was whole
    message_delta               kept: usage, stop reason and why an answer is refused
    message_stop                the last item's end, the refusal, response.completed or response.incomplete
    ping                        a comment
    error                       response.created if nothing is out yet, response.failed

It never awaits, logs or reads the clock. At most one item is open at a time.
"""

from __future__ import annotations

import enum

import msgspec

from gateway.protocol import sse
from gateway.protocol.anthropic.errors import ErrorDetail
from gateway.protocol.anthropic.usage import Usage
from gateway.protocol.chat.answer import StopDetails
from gateway.protocol.responses.events import (
    CallTelling,
    EventWriter,
    MessageTelling,
    ReasoningTelling,
    RefusalTelling,
    Telling,
)
from gateway.protocol.responses.failure import failure_from_anthropic
from gateway.protocol.responses.output import (
    COMPLETED,
    FAILED,
    IN_PROGRESS,
    Frame,
    Outcome,
    OutputItem,
    outcome_of,
    untold_refusal,
    usage_from_anthropic,
)
from gateway.protocol.responses.request import ResponsesRequest
from gateway.protocol.responses.response import Block
from gateway.protocol.responses.tools import toolbox_of


class State(enum.Enum):
    WAITING = "nothing has come"
    OPEN = "response.created is out"
    ENDED = "the last event is out"


class _Message(msgspec.Struct):
    usage: Usage = msgspec.field(default_factory=Usage)


class _Delta(msgspec.Struct):
    text: str = ""
    thinking: str = ""
    signature: str = ""
    partial_json: str = ""
    stop_reason: str | None = None
    stop_details: StopDetails | None = None


class _Event(msgspec.Struct):
    """The parts of any event that are told; unknown fields and types pass."""

    type: str
    message: _Message | None = None
    content_block: Block | None = None
    delta: _Delta | None = None
    usage: Usage | None = None
    error: ErrorDetail | None = None


_event = msgspec.json.Decoder(_Event)


class ResponsesEvents:
    """Feed it Anthropic's event frames, send what it gives. `created` is in seconds since 1970.

    What comes is taken to obey Anthropic's grammar; what is no event at all ends in `response.failed`.
    """

    def __init__(self, request: ResponsesRequest, response_id: str, model: str, created: int) -> None:
        self.state = State.WAITING
        self._frame = Frame(request, response_id=response_id, model=model, created=created)
        self._tools = toolbox_of(request).tools
        self._splitter = sse.FrameSplitter()
        self._writer = EventWriter()
        self._usage = Usage()
        self._stop_reason: str | None = None
        self._stop_details: StopDetails | None = None
        self._output: list[OutputItem] = []
        self._item: Telling | None = None

    @property
    def ended(self) -> bool:
        return self.state is State.ENDED

    def feed(self, frames: bytes) -> bytes:
        """The events that `frames` make; nothing comes after the last one."""
        try:
            for frame in self._splitter.feed(frames):
                data = sse.data_of(frame)
                if data is not None and not self.ended:
                    self._read(_event.decode(data))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, sse.FrameTooLarge) as problem:
            self._fail("api_error", f"The provider's answer could not be read: {problem}")
        return self._writer.take()

    def error(self, error_type: str, message: str) -> bytes:
        """The end of a stream that cannot go on, in Anthropic's terms; nothing follows it."""
        if not self.ended:
            self._fail(error_type, message)
        return self._writer.take()

    def _read(self, event: _Event) -> None:
        if event.type == "content_block_delta" and event.delta is not None:
            self._delta(event.delta)
        elif event.type == "content_block_start" and event.content_block is not None:
            self._close(COMPLETED)
            self._open(event.content_block)
        elif event.type == "message_start":
            self._usage.overwrite((event.message or _Message()).usage)
            self._start()
        elif event.type == "message_delta":
            self._usage.overwrite(event.usage or Usage())
            self._stop(event.delta or _Delta())
        elif event.type == "message_stop":
            self._end()
        elif event.type == "error":
            detail = event.error or ErrorDetail("api_error")
            self._fail(detail.type, detail.message)
        elif event.type == "ping":
            self._writer.comment(b"ping")

    def _start(self) -> None:
        self.state = State.OPEN
        response = self._frame.response(Outcome(IN_PROGRESS), [])
        self._writer.write("response.created", {"response": response})
        self._writer.write("response.in_progress", {"response": response})

    def _open(self, block: Block) -> None:
        """A text is not worth an item before its first character."""
        if block.type in ("thinking", "redacted_thinking"):
            self._item = reasoning = ReasoningTelling(self._writer, self._item_id("rs"))
            if block.type == "redacted_thinking":
                reasoning.redact(block.data)
            reasoning.sign(block.signature or "")
        elif block.type == "tool_use":
            self._item = CallTelling(
                self._writer,
                self._item_id("fc"),
                call_id=block.id,
                name=block.name,
                tool=self._tools.get(block.name),
            )
        self._delta(_Delta(block.text, block.thinking))

    def _delta(self, delta: _Delta) -> None:
        if delta.text and self._item is None:
            self._item = MessageTelling(self._writer, self._item_id("msg"))
        item = self._item
        if isinstance(item, MessageTelling) and delta.text:
            item.text(delta.text)
        elif isinstance(item, CallTelling) and delta.partial_json:
            item.arguments(delta.partial_json)
        elif isinstance(item, ReasoningTelling):
            if delta.thinking:
                item.thinking(delta.thinking)
            if delta.signature:
                item.sign(delta.signature)

    def _stop(self, delta: _Delta) -> None:
        if delta.stop_reason is not None:
            self._stop_reason = delta.stop_reason
            self._stop_details = delta.stop_details

    def _close(self, status: str) -> None:
        if self._item is not None:
            self._output.append(self._item.end(status))
            self._item = None

    def _end(self) -> None:
        outcome = outcome_of(self._stop_reason)
        self._close(outcome.status)
        if refusal := untold_refusal(self._stop_details, self._output):
            self._item = RefusalTelling(self._writer, self._item_id("msg"), refusal)
            self._close(COMPLETED)
        response = self._frame.response(outcome, self._output, usage_from_anthropic(self._usage))
        self._writer.write(f"response.{outcome.status}", {"response": response})
        self.state = State.ENDED

    def _fail(self, error_type: str, message: str) -> None:
        """An item that is not whole is not told any further: a client would act on it."""
        if self.state is State.WAITING:
            self._start()
        outcome = Outcome(FAILED, error=failure_from_anthropic(error_type, message))
        self._writer.write("response.failed", {"response": self._frame.response(outcome, self._output)})
        self.state = State.ENDED

    def _item_id(self, prefix: str) -> str:
        return self._frame.item_id(prefix, self._writer.place)
