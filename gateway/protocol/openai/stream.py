"""A stream of `chat.completion.chunk` told again as Anthropic events, as it comes.

    what the provider sends             what goes out
    first chunk                         message_start, ping
    reasoning, content, refusal         a thinking or text block; the block before it is closed first
    tool_calls                          a tool_use block; what does not belong to the open call waits its turn
    finish_reason, usage                kept until the end
    [DONE], or the end after a finish   what waits, content_block_stop, message_delta, message_stop
    an error, garbage, a sudden end     FailedStream while nothing is out, then an error event

It never awaits, logs or reads the clock. `state` is where the answer stands, the writer knows the open block.
"""

from __future__ import annotations

import dataclasses
import math
import secrets
from collections.abc import Callable, Mapping, Sequence

from gateway.protocol import sse
from gateway.protocol.anthropic.blocks import BlockWriter, Place
from gateway.protocol.anthropic.relay import MalformedStream, State, StreamedError
from gateway.protocol.anthropic.usage import Usage
from gateway.protocol.openai import chunk as chunks
from gateway.protocol.openai.call import Call
from gateway.protocol.openai.chunk import CallFragment, Choice, ChunkError, Delta
from gateway.protocol.openai.completion import ContentPart
from gateway.protocol.openai.usage import OpenAIUsage, anthropic_usage, stop_reason
from gateway.protocol.stop_sequences import StopMatcher

# What may be held of one answer: arguments until they are whole, and what waits behind an open call.
MAX_HELD = 32 * 1024 * 1024
MAX_CALLS = 1024
MAX_UNKNOWN = 50
CHARACTERS_PER_TOKEN = 4

_ERROR_TYPES: dict[str | int, str] = {
    400: "invalid_request_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
    "context_length_exceeded": "invalid_request_error",
    "invalid_request_error": "invalid_request_error",
    "BadRequestError": "invalid_request_error",
    "insufficient_quota": "overloaded_error",  # the quota is the gateway's, not the caller's
    "overloaded": "overloaded_error",
    "overloaded_error": "overloaded_error",
    "server_overloaded": "overloaded_error",
    "rate_limit_error": "rate_limit_error",
    "rate_limit_exceeded": "rate_limit_error",
}


class FailedStream(MalformedStream):
    """The answer failed while it can still become an HTTP error: `type` is Anthropic's, `code` the provider's."""

    def __init__(self, error_type: str, message: str, code: str | int | None = None) -> None:
        super().__init__(message)
        self.type = error_type
        self.message = message
        self.code = code


@dataclasses.dataclass(slots=True)
class Speech:
    """Text or reasoning that waits for the open call to end."""

    kind: Place
    pieces: list[str]


def mint_tool_use_id() -> str:
    return "toolu_01" + secrets.token_hex(11)


class OpenAIStream:
    """Feed it chunks of bytes, send what it gives; `finish` at the end of the provider's stream.

    `input_estimate`  tokens, told in `message_start` and kept where the provider tells none
    `tool_names`      the caller's name of a tool by the one that the provider was given
    `stop_sequences`  those to look for in the text here; the answer ends before the first one found

    `usage` and `stop_reason` are final when `state` is DONE (`estimated`: not all figures are the provider's),
    `delivered` counts characters of output, `unknown` names what was met and not understood: (kind, name).
    """

    def __init__(
        self,
        *,
        message_id: str,
        model: str,
        input_estimate: int,
        tool_names: Mapping[str, str] | None = None,
        stop_sequences: Sequence[str] = (),
        request_id: str = "",
        mint: Callable[[], str] = mint_tool_use_id,
    ) -> None:
        self.state = State.WAITING
        self.usage = Usage()
        self.stop_reason: str | None = None
        self.stop_sequence: str | None = None
        self.error: StreamedError | None = None
        self.estimated = True
        self.delivered = 0
        self.unknown: list[tuple[str, str]] = []
        self._message_id, self._model, self._request_id = message_id, model, request_id
        self._input_estimate = max(1, input_estimate)
        self._tool_names = tool_names or {}
        self._stop_sequences = tuple(stop_sequences)
        self._stops = StopMatcher(stop_sequences)
        self._mint = mint
        self._splitter = sse.FrameSplitter()
        self._writer = BlockWriter()
        self._out: list[bytes] = []
        self._sent = 0
        self._told: OpenAIUsage | None = None
        self._finish_reason: str | None = None
        self._refusal: list[str] = []
        self._held = 0
        self._calls: list[Call] = []
        self._open_call: Call | None = None
        self._closed_calls: list[Call] = []
        self._tool_use_ids: set[str] = set()
        self._waiting: list[Speech | Call] = []

    @property
    def ended(self) -> bool:
        return self.state in (State.DONE, State.FAILED)

    def feed(self, chunk: bytes) -> bytes:
        """The events that `chunk` makes; raises `FailedStream` as long as nothing went out before it."""
        if self.ended:
            return b""
        try:
            for frame in self._splitter.feed(chunk):
                if not self.ended:
                    self._frame(frame)
        except (MalformedStream, sse.FrameTooLarge) as problem:
            self._fail(problem)
        return self._take()

    def finish(self) -> bytes:
        """The provider's stream has ended: the end of the answer, or an error where it is not whole."""
        if self.ended:
            return b""
        try:
            if self._splitter.rest:
                self._last_frame(self._splitter.rest + b"\n\n")
            if not self.ended:
                self._end_of_bytes()
        except MalformedStream as problem:
            self._fail(problem)
        return self._take()

    def _take(self) -> bytes:
        out = b"".join(self._out)
        self._out.clear()
        self._sent += len(out)
        return out

    def _fail(self, problem: Exception) -> None:
        failure = problem if isinstance(problem, FailedStream) else FailedStream("api_error", str(problem))
        self.state = State.FAILED
        self.error = StreamedError(failure.type, failure.message)
        if not self._sent and not self.delivered:
            self._out.clear()
            raise failure
        self._out.append(
            self._writer.error(error_type=failure.type, message=failure.message, request_id=self._request_id)
        )

    # Frames

    def _frame(self, frame: bytes) -> None:
        data = sse.data_of(frame)
        if data is None:
            if not sse.is_empty(frame):
                self._not_an_event(frame)
        elif data.strip() == b"[DONE]":
            self._done()
        elif data.strip():
            self._chunk(data)

    def _not_an_event(self, frame: bytes) -> None:
        """An answer that is no stream at all; providers send errors so, with status 200."""
        if frame.lstrip().startswith(b"{"):
            failure = chunks.read(frame)[0].failure
            if failure is not None:
                raise _failed(failure)
        raise MalformedStream("the provider sent something that is no event stream")

    def _last_frame(self, frame: bytes) -> None:
        """A frame that no blank line ended; half a frame does no harm once the answer is whole."""
        try:
            self._frame(frame)
        except FailedStream:
            raise
        except MalformedStream:
            if not self._answered:
                raise

    def _chunk(self, data: bytes) -> None:
        chunk, unknown = chunks.read(data)
        failure = chunk.failure
        if failure is not None:
            raise _failed(failure)
        for name in unknown:
            self._note("delta", name)
        if chunk.choices is None and chunk.usage is None:
            self._note("frame", chunk.object or chunk.type or "without choices")
            return
        if self.state is State.WAITING:
            self._start()
        if chunk.usage is not None:
            self._told = chunk.usage
        for choice in chunk.choices or ():
            self._choice(choice)

    def _start(self) -> None:
        self.state = State.OPEN
        self.usage.input_tokens = self._input_estimate
        self._out.append(
            self._writer.start(
                message_id=self._message_id, model=self._model, input_tokens=self._input_estimate
            )
        )

    def _choice(self, choice: Choice) -> None:
        if choice.index:
            self._note("choice", str(choice.index))
            return
        if choice.delta is not None and self.stop_sequence is None:
            self._delta(choice.delta)
        if choice.finish_reason:
            self._finish_reason = choice.finish_reason
            self._note_stop(choice.stop_reason, choice.matched_stop)

    def _note_stop(self, *told: object) -> None:
        """Some providers tell which stop sequence ended the text."""
        for stop in told:
            if self.stop_sequence is None and isinstance(stop, str) and stop in self._stop_sequences:
                self.stop_sequence = stop

    def _delta(self, delta: Delta) -> None:
        for reasoning in (delta.reasoning_content, delta.reasoning):
            if isinstance(reasoning, str) and reasoning:
                self._say(Place.THINKING, reasoning)
                break
        if delta.content:
            self._content(delta.content)
        self._refuse(delta.refusal)
        for fragment in delta.tool_calls or ():
            self._call(fragment)
        if delta.function_call is not None:
            self._call(CallFragment(index=0, function=delta.function_call))

    def _content(self, content: str | list[ContentPart]) -> None:
        if isinstance(content, str):
            self._say(Place.TEXT, content)
            return
        for part in content:
            self._say(Place.THINKING, _thinking_of(part))
            self._say(Place.TEXT, part.text or "")
            self._refuse(part.refusal)
            if part.type not in ("text", "thinking", "refusal"):
                self._note("content part", part.type)

    def _refuse(self, refusal: str | None) -> None:
        if refusal:
            self._refusal.append(refusal)
            self._say(Place.TEXT, refusal)

    def _note(self, kind: str, name: str) -> None:
        note = kind, name[:64]
        if note not in self.unknown and len(self.unknown) < MAX_UNKNOWN:
            self.unknown.append(note)

    # Text and reasoning

    def _say(self, kind: Place, text: str) -> None:
        if not text or self.stop_sequence is not None:
            return
        self.delivered += len(text)
        self._drain()
        if self.stop_sequence is not None:
            return
        if self._may_leave_call():
            self._write(kind, text)
            return
        self._hold(len(text))
        last = self._waiting[-1] if self._waiting else None
        if isinstance(last, Speech) and last.kind is kind:
            last.pieces.append(text)
        else:
            self._waiting.append(Speech(kind, [text]))

    def _write(self, kind: Place, text: str) -> None:
        if kind is Place.THINKING:
            self._flush_held_text()
            self._append(kind, text)
            return
        text, self.stop_sequence = self._stops.feed(text)
        if text:
            self._append(kind, text)
        if self.stop_sequence is not None:
            self._waiting.clear()

    def _append(self, kind: Place, text: str) -> None:
        writer = self._writer
        if writer.place is not kind:
            self._close_block()
            self._out.append(writer.open_text() if kind is Place.TEXT else writer.open_thinking())
        self._out.append(writer.text(text) if kind is Place.TEXT else writer.thinking(text))

    def _flush_held_text(self) -> None:
        held = self._stops.flush()
        if held:
            self._append(Place.TEXT, held)

    def _close_block(self) -> None:
        if self._writer.place is not Place.BETWEEN:
            self._out.append(self._writer.close())

    # Tool calls

    def _call(self, fragment: CallFragment) -> None:
        if self.stop_sequence is not None:
            return
        call = self._call_of(fragment)
        if call.is_repeated_by(fragment):
            return
        length = call.add(fragment)
        self.delivered += length
        self._hold(length)
        if call is self._open_call:
            self._send_arguments(call.take())
        elif call in self._closed_calls:
            if call.take().strip():
                raise MalformedStream(
                    f"the call to {call.name[:64]!r} goes on after its arguments were whole"
                )
        else:
            self._drain()

    def _call_of(self, fragment: CallFragment) -> Call:
        call = self._pointed_at(fragment)
        if call is not None and (call.is_repeated_by(fragment) or not call.is_followed_by(fragment)):
            return call
        if len(self._calls) >= MAX_CALLS:
            raise MalformedStream(f"more than {MAX_CALLS} tool calls")
        call = Call(fragment.index)
        self._calls.append(call)
        self._waiting.append(call)
        return call

    def _pointed_at(self, fragment: CallFragment) -> Call | None:
        """The call that a fragment means: by its index and, where that is missing or lies, by its id."""
        index, call_id = fragment.index, fragment.id
        there = [call for call in self._calls if index is None or call.index == index]
        if not call_id:
            return there[-1] if there else None
        for call in reversed(there):
            if call.upstream_id == call_id:
                return call
        if there and not there[-1].upstream_id:
            return there[-1]  # its id comes late
        if fragment.function is None or not fragment.function.name:
            return next((call for call in self._calls if call.upstream_id == call_id), None)
        return None

    def _drain(self, *, last: bool = False) -> None:
        """Write what waits, in the order it came, up to a call that stays open; `last`: all of it."""
        while (item := self._next_waiting(last)) is not None and self._may_leave_call(last):
            self._waiting.remove(item)
            if isinstance(item, Speech):
                self._write(item.kind, "".join(item.pieces))
            else:
                self._start_call(item)

    def _next_waiting(self, last: bool) -> Speech | Call | None:
        return next((item for item in self._waiting if last or isinstance(item, Speech) or item.ready), None)

    def _start_call(self, call: Call) -> None:
        if not call.name:
            if call.arguments.strip():
                raise MalformedStream("a tool call without a name")
            return
        self._flush_held_text()
        self._close_block()
        name = self._tool_names.get(call.name, call.name)
        self._out.append(self._writer.open_tool_use(tool_use_id=self._tool_use_id(call), name=name))
        self._open_call = call
        self._send_arguments(call.take())

    def _tool_use_id(self, call: Call) -> str:
        """The provider's id, or a new one where it has none, an unusable one, or one that is taken."""
        tool_use_id = call.usable_id
        if tool_use_id is None or tool_use_id in self._tool_use_ids:
            tool_use_id = self._mint()
        self._tool_use_ids.add(tool_use_id)
        return tool_use_id

    def _send_arguments(self, fragment: str) -> None:
        if fragment:
            self._out.append(self._writer.input_json(fragment))

    def _may_leave_call(self, last: bool = False) -> bool:
        """Whether another block may begin: no call is open, or nothing more can belong to the open one."""
        call = self._open_call
        if call is None:
            return True
        if not last and not call.complete:
            return False
        self._send_arguments(call.rest(cut_off=self._finish_reason == "length"))
        self._close_block()
        self._closed_calls.append(call)
        self._open_call = None
        return True

    def _hold(self, length: int) -> None:
        self._held += length
        if self._held > MAX_HELD:
            raise MalformedStream(f"more than {MAX_HELD} characters of tool calls in one answer")

    # The end

    @property
    def _answered(self) -> bool:
        return self._finish_reason is not None or self.stop_sequence is not None

    def _done(self) -> None:
        if not self._answered and not self.delivered and not self._calls:
            raise MalformedStream("the provider's stream ended without an answer")
        self._end()

    def _end_of_bytes(self) -> None:
        if not self._answered:
            raise MalformedStream("the provider's stream broke off before its answer was whole")
        self._end()

    def _end(self) -> None:
        if self._finish_reason == "error":
            raise MalformedStream("the provider broke its answer off with an error")
        self._drain(last=True)
        self._may_leave_call(last=True)
        self._flush_held_text()
        self._close_block()
        self.stop_reason = self._reason()
        self.usage = self._final_usage()
        self._out.append(
            self._writer.message_delta(
                stop_reason=self.stop_reason,
                stop_sequence=self.stop_sequence,
                stop_details=self._stop_details(),
                usage=self.usage,
            )
        )
        self._out.append(self._writer.message_stop())
        self.state = State.DONE

    def _reason(self) -> str:
        if self.stop_sequence is not None:
            return "stop_sequence"
        calls = bool(self._tool_use_ids)
        reason, known = stop_reason(self._finish_reason, has_tool_calls=calls, refused=bool(self._refusal))
        if not known:
            self._note("finish_reason", self._finish_reason or "")
        return reason

    def _stop_details(self) -> dict[str, str | None] | None:
        if self.stop_reason != "refusal":
            return None
        return {"type": "refusal", "category": None, "explanation": "".join(self._refusal) or None}

    def _final_usage(self) -> Usage:
        """What the provider told; the gateway's estimate for a side that it did not, never an empty prompt."""
        usage = anthropic_usage(self._told or OpenAIUsage())
        cached = (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0)
        told_input = bool(usage.input_tokens or cached)
        self.estimated = not told_input or usage.output_tokens is None
        if not told_input:
            usage.input_tokens = self._input_estimate
        if usage.output_tokens is None:
            usage.output_tokens = math.ceil(self.delivered / CHARACTERS_PER_TOKEN)
        return usage


def _failed(failure: ChunkError) -> FailedStream:
    """The provider's error in Anthropic's terms; one without a known name or status is the provider's fault."""
    code: str | int | None = failure.code
    if isinstance(code, str) and code.isdecimal():
        code = int(code)
    known = [_ERROR_TYPES[each] for each in (code, failure.type) if each is not None and each in _ERROR_TYPES]
    message = failure.message or "the provider broke its answer off with an error"
    return FailedStream(known[0] if known else "api_error", message[:2000], failure.code)


def _thinking_of(part: ContentPart) -> str:
    if isinstance(part.thinking, list):
        return "".join(inner.text or "" for inner in part.thinking)
    return part.thinking or ""
