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

import secrets
from collections.abc import Callable, Mapping, Sequence

from gateway.protocol import sse
from gateway.protocol.anthropic.blocks import Place
from gateway.protocol.anthropic.relay import MalformedStream, State, StreamedError
from gateway.protocol.anthropic.usage import Usage
from gateway.protocol.openai import chunk as chunks
from gateway.protocol.openai import errors
from gateway.protocol.openai.answer import Answer
from gateway.protocol.openai.chunk import Choice, Delta
from gateway.protocol.openai.completion import PARTS, CallFragment, ContentPart
from gateway.protocol.openai.failure import FailedStream, broken, failed, not_an_event
from gateway.protocol.openai.usage import OpenAIUsage, stop_reason, usage_of_answer

MAX_UNKNOWN = 50
BROKEN_OFF = "The provider's stream broke off before its answer was whole."


def mint_tool_use_id() -> str:
    return "toolu_01" + secrets.token_hex(11)


class OpenAIStream:
    """Feed it chunks of bytes, send what it gives; `finish` at the end of the provider's stream.

    `input_estimate`  tokens, told in `message_start` and kept where the provider tells none
    `tool_names`      the caller's name of a tool by the one that the provider was given
    `stop_sequences`  those to look for in the text here; the answer ends before the first one found

    `usage` and `stop_reason` are final when `state` is DONE (`estimated`: not all figures are the provider's),
    `delivered` counts characters of output, `unknown` names what was met and not understood: (kind, name),
    `provider_id` is the provider's name for the answer.
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
        self.error: StreamedError | None = None
        self.estimated = True
        self.unknown: list[tuple[str, str]] = []
        self.signatures: list[str] = []  # this dialect knows none
        self.provider_id: str | None = None
        self._message_id, self._model, self._request_id = message_id, model, request_id
        self._input_estimate = max(1, input_estimate)
        self._stop_sequences = tuple(stop_sequences)
        self._answer = Answer(tool_names=tool_names or {}, stop_sequences=stop_sequences, mint=mint)
        self._splitter = sse.FrameSplitter()
        self._sent = 0
        self._told: OpenAIUsage | None = None
        self._finish_reason: str | None = None
        self._told_stop: str | None = None
        self._refusal: list[str] = []

    @property
    def ended(self) -> bool:
        return self.state in (State.DONE, State.FAILED)

    @property
    def delivered(self) -> int:
        return self._answer.delivered

    @property
    def stop_sequence(self) -> str | None:
        """The one found in the text, else the one that the provider tells of."""
        return self._answer.stop_sequence or self._told_stop

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
        out = b"".join(self._answer.out)
        self._answer.out.clear()
        self._sent += len(out)
        return out

    def _fail(self, problem: Exception) -> None:
        failure = broken(problem)
        self.state = State.FAILED
        self.error = StreamedError(failure.type, failure.message)
        if not self._sent and not self.delivered:
            self._answer.out.clear()
            raise failure
        self._answer.out.append(
            self._answer.writer.error(
                error_type=failure.type, message=failure.message, request_id=self._request_id
            )
        )

    # Frames

    def _frame(self, frame: bytes) -> None:
        if frame.startswith(b"data: {") and frame.find(b"\n") == len(frame) - 2:
            self._chunk(frame[6:-2])  # the usual frame: one line of data that ends in LF
            return
        data = sse.data_of(frame)
        if data is None:
            if not sse.is_empty(frame):
                raise not_an_event(frame)
        elif data.strip() == b"[DONE]":
            self._done()
        elif data.strip():
            self._chunk(data)

    def _last_frame(self, frame: bytes) -> None:
        """A frame that no blank line ended; half a frame does no harm once the answer is whole."""
        try:
            self._frame(frame)
        except FailedStream:
            raise
        except MalformedStream as problem:
            if not self._answered:
                raise (problem if self.state is State.WAITING else MalformedStream(BROKEN_OFF)) from None

    def _chunk(self, data: bytes) -> None:
        chunk, unknown = chunks.read(data)
        failure = chunk.failure
        if failure is not None:
            raise failed(failure)
        for name in unknown:
            self._note("delta", name)
        if chunk.choices is None and chunk.usage is None:
            self._note("frame", chunk.object or chunk.type or "without choices")
            return
        if self.state is State.WAITING:
            self._start()
        if self.provider_id is None and chunk.id and isinstance(chunk.id, str):
            self.provider_id = chunk.id
        if chunk.usage is not None:
            self._told = chunk.usage
        for choice in chunk.choices or ():
            self._choice(choice)

    def _start(self) -> None:
        self.state = State.OPEN
        self.usage.input_tokens = self._input_estimate
        self._answer.out.append(
            self._answer.writer.start(
                message_id=self._message_id, model=self._model, input_tokens=self._input_estimate
            )
        )

    def _choice(self, choice: Choice) -> None:
        if choice.index:
            self._note("choice", str(choice.index))
            return
        if choice.delta is not None:
            self._delta(choice.delta)
        if choice.finish_reason:
            self._finish_reason = choice.finish_reason
            self._note_stop(choice.stop_reason, choice.matched_stop)

    def _note_stop(self, *told: object) -> None:
        """Some providers tell which stop sequence ended the text."""
        for stop in told:
            if isinstance(stop, str) and stop in self._stop_sequences:
                self._told_stop = stop

    def _delta(self, delta: Delta) -> None:
        for reasoning in (delta.reasoning_content, delta.reasoning):
            if isinstance(reasoning, str) and reasoning:
                self._answer.say(Place.THINKING, reasoning)
                break
        if delta.content:
            self._content(delta.content)
        self._refuse(delta.refusal)
        for fragment in delta.tool_calls or ():
            self._answer.call(fragment)
        if delta.function_call is not None:
            self._answer.call(CallFragment(index=0, function=delta.function_call))

    def _content(self, content: str | list[ContentPart]) -> None:
        if isinstance(content, str):
            self._answer.say(Place.TEXT, content)
            return
        for part in content:
            self._answer.say(Place.THINKING, _thinking_of(part))
            self._answer.say(Place.TEXT, part.text or "")
            self._refuse(part.refusal)
            if part.type not in PARTS:
                self._note("content part", part.type)

    def _refuse(self, refusal: str | None) -> None:
        if refusal:
            self._answer.hold(len(refusal))
            self._refusal.append(refusal)
            self._answer.say(Place.TEXT, refusal)

    def _note(self, kind: str, name: str) -> None:
        note = kind, name[:64]
        if note not in self.unknown and len(self.unknown) < MAX_UNKNOWN:
            self.unknown.append(note)

    # The end

    @property
    def _answered(self) -> bool:
        return self._finish_reason is not None or self.stop_sequence is not None

    def _done(self) -> None:
        if not self._answered and not self.delivered and not self._answer.has_calls:
            raise MalformedStream("The provider's stream ended without an answer.")
        self._end()

    def _end_of_bytes(self) -> None:
        if not self._answered:
            raise MalformedStream(BROKEN_OFF)
        self._end()

    def _end(self) -> None:
        if self._finish_reason == "error":
            raise MalformedStream(errors.BROKEN_OFF)
        self._answer.end(cut_off=self._finish_reason == "length")
        self.stop_reason = self._reason()
        self.usage, self.estimated = usage_of_answer(
            self._told, input_estimate=self._input_estimate, delivered=self.delivered
        )
        self._answer.out.append(
            self._answer.writer.message_delta(
                stop_reason=self.stop_reason,
                stop_sequence=self.stop_sequence,
                stop_details=self._stop_details(),
                usage=self.usage,
            )
        )
        self._answer.out.append(self._answer.writer.message_stop())
        self.state = State.DONE

    def _reason(self) -> str:
        if self.stop_sequence is not None:
            return "stop_sequence"
        calls = self._answer.has_calls
        reason, known = stop_reason(self._finish_reason, has_tool_calls=calls, refused=bool(self._refusal))
        if not known:
            self._note("finish_reason", self._finish_reason or "")
        return reason

    def _stop_details(self) -> dict[str, str | None] | None:
        if self.stop_reason != "refusal":
            return None
        return {"type": "refusal", "category": None, "explanation": "".join(self._refusal) or None}


def _thinking_of(part: ContentPart) -> str:
    if isinstance(part.thinking, list):
        return "".join(inner.text or "" for inner in part.thinking)
    return part.thinking or ""
