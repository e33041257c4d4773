"""A provider's chat completion on its way to a client that speaks the same dialect.

Bytes go through as they came but for the model's name, and for what the client did not ask for: the chunk that tells
nothing but usage. `ChatRelay` is feed/finish: it never awaits, logs or reads the clock.
"""

from __future__ import annotations

import math

import msgspec

from gateway.errors import InternalError
from gateway.protocol import sse
from gateway.protocol.anthropic.relay import MalformedStream, State, StreamedError
from gateway.protocol.anthropic.usage import Usage
from gateway.protocol.chat.errors import error_frame
from gateway.protocol.chat.model_name import frame_with_model, with_model
from gateway.protocol.openai import chunk as chunks
from gateway.protocol.openai.chunk import Chunk, Delta
from gateway.protocol.openai.completion import AssistantMessage, ChatCompletion, ContentPart, FunctionCall
from gateway.protocol.openai.errors import error_from_openai
from gateway.protocol.openai.failure import FailedStream, failed, not_an_event
from gateway.protocol.openai.usage import OpenAIUsage, anthropic_usage, stop_reason

CHARACTERS_PER_TOKEN = 4
DONE = b"data: [DONE]\n\n"

_completion = msgspec.json.Decoder(ChatCompletion)


class WholeAnswer(msgspec.Struct, frozen=True):
    """The bytes for the client, and what is metered. `estimated`: the provider did not tell all of `usage`.

    Then the input is None, and the output counted from the characters.
    """

    body: bytes
    usage: Usage
    stop_reason: str
    estimated: bool


def relayed_completion(body: bytes, *, model: str) -> WholeAnswer:
    """Raises `GatewayError`: the provider's own where the answer is an error, `InternalError` for what is none."""
    try:
        completion = _completion.decode(body)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError):
        raise InternalError("The provider sent an answer that cannot be read.") from None
    if completion.error and not completion.choices:
        raise error_from_openai(200, body, headers={})
    if not completion.choices:
        raise InternalError("The provider sent an answer without a message.")
    choice = completion.choices[0]
    if choice.finish_reason == "error":
        raise InternalError("The provider broke its answer off with an error.")
    said = choice.message or AssistantMessage()
    usage, estimated = _usage(completion.usage, _length_of_message(said))
    has_calls = bool(said.tool_calls) or said.function_call is not None
    reason, _ = stop_reason(choice.finish_reason, has_tool_calls=has_calls, refused=bool(said.refusal))
    return WholeAnswer(with_model(body, msgspec.json.encode(model)), usage, reason, estimated)


class ChatRelay:
    """Follows one stream. `usage` and `stop_reason` are Anthropic's, final when `state` is DONE.

    `delivered` counts characters of output. `estimated` is True as long as the provider has not told all of its
    usage; at the end the output is then counted from the characters, and the input stays None.
    """

    def __init__(self, model: str, include_usage: bool) -> None:
        self.state = State.WAITING
        self.usage = Usage()
        self.stop_reason: str | None = None
        self.error: StreamedError | None = None
        self.delivered = 0
        self.estimated = True
        self.unknown: list[tuple[str, str]] = []  # all of it goes through as it came
        self.signatures: list[str] = []  # this dialect knows none
        self._model = msgspec.json.encode(model)
        self._include_usage = include_usage
        self._splitter = sse.FrameSplitter()
        self._out: list[bytes] = []
        self._begun = False
        self._told: OpenAIUsage | None = None
        self._finish_reason: str | None = None
        self._has_calls = False
        self._refused = False

    @property
    def ended(self) -> bool:
        return self.state in (State.DONE, State.FAILED)

    def feed(self, chunk: bytes) -> bytes:
        """The whole frames that `chunk` completes; nothing after the stream has ended.

        Raises `MalformedStream`, or `FailedStream` for an error that the provider told, as long as no chunk of the
        answer went out; after that the stream ends with an error frame.
        """
        if self.ended:
            return b""
        try:
            for frame in self._splitter.feed(chunk):
                self._frame(frame)
                if self.ended:
                    break
        except (MalformedStream, sse.FrameTooLarge) as problem:
            self._fail(problem)
        return self._take()

    def finish(self) -> bytes:
        """The provider's bytes have ended: `[DONE]` where only that is missing, else an error frame."""
        if self.ended:
            return b""
        try:
            if self._splitter.rest.strip():
                self._last_frame(self._splitter.rest + b"\n\n")
            if not self.ended and self._finish_reason is None:
                raise MalformedStream("the provider's stream broke off before its answer was whole")
            if not self.ended:
                self._end(DONE)
        except MalformedStream as problem:
            self._fail(problem)
        return self._take()

    def _take(self) -> bytes:
        out = b"".join(self._out)
        self._out.clear()
        self._begun = self._begun or (bool(out) and self.state is not State.WAITING)
        return out

    def _fail(self, problem: Exception) -> None:
        told = problem if isinstance(problem, FailedStream) else None
        self.state = State.FAILED
        self.error = StreamedError(told.type if told else "api_error", told.message if told else str(problem))
        if not self._begun:
            self._out.clear()
            raise problem if isinstance(problem, MalformedStream) else MalformedStream(str(problem))
        self._out.append(error_frame(self.error.type, self.error.message))

    # Frames

    def _frame(self, frame: bytes) -> None:
        data = sse.data_of(frame)
        if data is None:
            if not sse.is_empty(frame):
                raise not_an_event(frame)
            self._out.append(frame)
        elif data.strip() == b"[DONE]":
            if self._finish_reason is None and not self.delivered and not self._has_calls:
                raise MalformedStream("the provider's stream ended without an answer")
            self._end(frame)
        elif data.strip():
            self._chunk(frame, data)

    def _last_frame(self, frame: bytes) -> None:
        """A frame that no blank line ended; half a frame does no harm once the answer is whole."""
        try:
            self._frame(frame)
        except FailedStream:
            raise
        except MalformedStream:
            return

    def _chunk(self, frame: bytes, data: bytes) -> None:
        chunk, _ = chunks.read(data)
        failure = chunk.failure
        if failure is not None:
            raise failed(failure)
        if chunk.choices is None and chunk.usage is None:
            return  # no chunk of an answer, which the SDKs would hand to their callers as one
        self.state = State.OPEN
        self._read(chunk)
        if chunk.usage is None or chunk.choices or self._include_usage:
            self._out.append(frame_with_model(frame, data, self._model))

    def _read(self, chunk: Chunk) -> None:
        if chunk.usage is not None:
            self._told = chunk.usage
            self.usage, self.estimated = _usage(self._told, self.delivered)
        for choice in chunk.choices or ():
            if choice.delta is not None:
                self._read_delta(choice.delta)
            if choice.finish_reason == "error":
                raise MalformedStream("the provider broke its answer off with an error")
            self._finish_reason = choice.finish_reason or self._finish_reason

    def _read_delta(self, delta: Delta) -> None:
        self.delivered += _length_of_delta(delta)
        self._refused = self._refused or bool(delta.refusal)
        self._has_calls = self._has_calls or bool(delta.tool_calls) or delta.function_call is not None

    def _end(self, frame: bytes) -> None:
        self.usage, self.estimated = _usage(self._told, self.delivered)
        self.stop_reason, _ = stop_reason(
            self._finish_reason, has_tool_calls=self._has_calls, refused=self._refused
        )
        self.state = State.DONE
        self._out.append(frame)


def _usage(told: OpenAIUsage | None, delivered: int) -> tuple[Usage, bool]:
    usage = anthropic_usage(told or OpenAIUsage())
    estimated = usage.input_tokens is None or usage.output_tokens is None
    if usage.output_tokens is None:
        usage.output_tokens = math.ceil(delivered / CHARACTERS_PER_TOKEN)
    return usage, estimated


def _length_of_message(said: AssistantMessage) -> int:
    calls = [call.function for call in said.tool_calls or ()]
    return _length(said.content, said.reasoning_content or said.reasoning, said.refusal) + sum(
        map(_length_of_call, [*calls, said.function_call])
    )


def _length_of_delta(delta: Delta) -> int:
    length = _length(delta.content, delta.reasoning_content or delta.reasoning, delta.refusal)
    for fragment in delta.tool_calls or ():
        length += _length_of_call(fragment.function)
    return length + _length_of_call(delta.function_call)


def _length(content: str | list[ContentPart] | None, reasoning: object, refusal: str | None) -> int:
    said = content or ""
    length = len(said) if isinstance(said, str) else sum(len(part.text or "") for part in said)
    return length + (len(reasoning) if isinstance(reasoning, str) else 0) + len(refusal or "")


def _length_of_call(function: FunctionCall | None) -> int:
    arguments = (function and function.arguments) or ""
    return len(arguments) if isinstance(arguments, str) else len(msgspec.json.encode(arguments))
