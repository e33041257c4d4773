"""Anthropic events told again as `chat.completion.chunk`, each as it comes.

    message_start                   the role
    text, thinking                  content, reasoning_content
    tool_use, its input             tool_calls, counted by themselves and not by block
    message_delta                   kept until the end
    message_stop                    finish_reason, the usage if it was asked for, [DONE]
    ping                            a comment: the SDKs would hand any other frame to their callers
    error                           an error frame and nothing after it

Everything else (signatures, calls of Anthropic's own tools, what is not known yet) is passed over.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from gateway.protocol import sse
from gateway.protocol.anthropic.relay import MalformedStream, StreamedError
from gateway.protocol.anthropic.usage import Usage
from gateway.protocol.chat.answer import StopDetails, block_of, chat_usage, finish_reason
from gateway.protocol.chat.errors import error_frame

PING = b": ping\n\n"
DONE = b"data: [DONE]\n\n"


class _Delta(Struct):
    type: str = ""
    text: str = ""
    thinking: str = ""
    partial_json: str = ""
    stop_reason: str | None = None
    stop_details: StopDetails | None = None


class _Message(Struct):
    usage: Usage = msgspec.field(default_factory=Usage)


class _Event(Struct):
    type: str
    index: int = 0
    delta: _Delta | None = None
    content_block: msgspec.Raw = msgspec.Raw()
    message: _Message | None = None
    usage: Usage | None = None
    error: StreamedError | None = None


_event = msgspec.json.Decoder(_Event)
_encode = msgspec.json.Encoder().encode

_CHUNK = b'data: {"id":%b,"object":"chat.completion.chunk","created":%d,"model":%b,"choices":['
_CALL = b'{"tool_calls":[{"index":%d,"id":%b,"type":"function","function":{"name":%b,"arguments":""}}]}'
_ARGUMENTS = b'{"tool_calls":[{"index":%d,"function":{"arguments":%b}}]}'
_FUNCTION = b'{"function_call":{"name":%b,"arguments":""}}'
_FUNCTION_ARGUMENTS = b'{"function_call":{"arguments":%b}}'


class ChatChunks:
    """Feed it event frames, send what it gives. `created` is in epoch seconds.

    `functions` tells a call by the name that it had until 2023. Raises `MalformedStream` for what is no event.
    """

    def __init__(
        self, completion_id: str, model: str, created: int, include_usage: bool, functions: bool = False
    ) -> None:
        self.ended = False
        self._head = _CHUNK % (_encode(completion_id), created, _encode(model))
        self._tail = b',"usage":null}\n\n' if include_usage else b"}\n\n"
        self._include_usage = include_usage
        self._functions = functions
        self._splitter = sse.FrameSplitter()
        self._usage = Usage()
        self._stop_reason: str | None = None
        self._refusal: str | None = None
        self._calls = 0
        self._open_call = -1  # the index of the block that tells a call
        self._untold = b""  # its arguments, as long as no fragment has told them

    def feed(self, frames: bytes) -> bytes:
        """The chunks for the events that `frames` completes; nothing after the end."""
        out = []
        try:
            for frame in self._splitter.feed(frames):
                data = sse.data_of(frame)
                if data is not None and not self.ended:
                    out.append(self._told(_event.decode(data)))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, sse.FrameTooLarge) as problem:
            raise MalformedStream(str(problem)) from None
        return out[0] if len(out) == 1 else b"".join(out)

    def _told(self, event: _Event) -> bytes:
        kind = event.type
        if kind == "content_block_delta" and event.delta is not None:
            return self._delta(event.index, event.delta)
        if kind == "content_block_start":
            return self._block_start(event.index, event.content_block)
        if kind == "content_block_stop":
            return self._block_stop(event.index)
        if kind == "ping":
            return PING
        if kind == "message_start":
            self._usage.overwrite(event.message.usage if event.message else Usage())
            return self._chunk(b'{"role":"assistant","content":""}')
        if kind == "message_delta":
            self._keep(event)
        elif kind == "message_stop":
            return self._end()
        elif kind == "error":
            self.ended = True
            error = event.error or StreamedError()
            return error_frame(error.type, error.message)
        return b""

    def _delta(self, index: int, delta: _Delta) -> bytes:
        kind = delta.type
        if kind == "text_delta":
            return self._chunk(b'{"content":%b}' % _encode(delta.text))
        if kind == "thinking_delta":
            return self._chunk(b'{"reasoning_content":%b}' % _encode(delta.thinking))
        if kind == "input_json_delta" and index == self._open_call and delta.partial_json:
            self._untold = b""
            return self._arguments(_encode(delta.partial_json))
        return b""

    def _block_start(self, index: int, raw: msgspec.Raw) -> bytes:
        block = block_of(raw)
        if block is None:
            return b""
        if block.type == "text" and block.text:
            return self._chunk(b'{"content":%b}' % _encode(block.text))
        if block.type == "thinking" and block.thinking:
            return self._chunk(b'{"reasoning_content":%b}' % _encode(block.thinking))
        if block.type != "tool_use" or (self._functions and self._calls):
            return b""
        self._open_call, self._untold = index, bytes(block.input)
        call, self._calls = self._calls, self._calls + 1
        name = _encode(block.name)
        return self._chunk(_FUNCTION % name if self._functions else _CALL % (call, _encode(block.id), name))

    def _block_stop(self, index: int) -> bytes:
        if index != self._open_call:
            return b""
        untold, self._open_call, self._untold = self._untold, -1, b""
        return self._arguments(_encode(untold.decode())) if untold else b""

    def _arguments(self, fragment: bytes) -> bytes:
        if self._functions:
            return self._chunk(_FUNCTION_ARGUMENTS % fragment)
        return self._chunk(_ARGUMENTS % (self._calls - 1, fragment))

    def _keep(self, event: _Event) -> None:
        if event.usage is not None:
            self._usage.overwrite(event.usage)
        if event.delta is not None and event.delta.stop_reason is not None:
            self._stop_reason = event.delta.stop_reason
            self._refusal = event.delta.stop_details.explanation if event.delta.stop_details else None

    def _end(self) -> bytes:
        self.ended = True
        reason = finish_reason(self._stop_reason, has_calls=self._calls > 0, functions=self._functions)
        refusal = self._chunk(b'{"refusal":%b}' % _encode(self._refusal)) if self._refusal else b""
        usage = b""
        if self._include_usage:
            usage = self._head + b'],"usage":%b}\n\n' % _encode(chat_usage(self._usage))
        return refusal + self._chunk(b"{}", _encode(reason)) + usage + DONE

    def _chunk(self, delta: bytes, finish_reason: bytes = b"null") -> bytes:
        return b'%b{"index":0,"delta":%b,"logprobs":null,"finish_reason":%b}]%b' % (
            self._head,
            delta,
            finish_reason,
            self._tail,
        )
