"""A whole event stream folded into the `Message` that the same request without `stream` would have brought.

What is not known here (new fields, new kinds of blocks) is kept as it came, so a message is a JSON object and
not a struct; outside it travels as bytes.
"""

from __future__ import annotations

import msgspec

from gateway.protocol import sse
from gateway.protocol.anthropic.errors import ErrorDetail
from gateway.protocol.anthropic.relay import MalformedStream
from gateway.protocol.partial_json import Nesting, missing_end

Json = dict[str, object]


class StreamedFailure(Exception):
    """The stream ended in an `error` event; `detail` is what it said."""

    def __init__(self, detail: ErrorDetail) -> None:
        super().__init__(f"{detail.type}: {detail.message}")
        self.detail = detail


class _Event(msgspec.Struct):
    type: str
    message: Json = {}
    index: int = -1
    content_block: Json = {}
    delta: Json = {}
    usage: Json = {}
    error: ErrorDetail | None = None


_event = msgspec.json.Decoder(_Event)
_object = msgspec.json.Decoder(Json)

# The kinds of delta that lengthen a text, and the field of both the delta and the block that holds it.
_GROWING = {"text_delta": "text", "thinking_delta": "thinking", "compaction_delta": "content"}

_CUT_OFF = ("max_tokens", "model_context_window_exceeded")


def message_of(stream: bytes) -> bytes:
    """The JSON of the message that a whole stream told; raises as `Fold` does."""
    fold = Fold()
    fold.feed(stream)
    return fold.message()


class Fold:
    """Chunks in, one message out. Raises `StreamedFailure` or, for what is no event stream, `MalformedStream`."""

    def __init__(self) -> None:
        self._splitter = sse.FrameSplitter()
        self._message: Json | None = None
        self._blocks: list[Json] = []
        self._pieces: list[str] = []
        self._unread: tuple[Json, str] | None = None
        self._ended = False

    def feed(self, chunk: bytes) -> None:
        try:
            for frame in self._splitter.feed(chunk):
                data = sse.data_of(frame)
                if data is not None and not self._ended:
                    self._read(_event.decode(data))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, sse.FrameTooLarge) as problem:
            raise MalformedStream(str(problem)) from None

    def message(self) -> bytes:
        """The message, once `message_stop` has come; before that there is none."""
        if self._message is None or not self._ended:
            raise MalformedStream("the stream ends without message_stop")
        return msgspec.json.encode(self._message)

    def _read(self, event: _Event) -> None:
        if event.type == "message_start":
            self._message = {**event.message, "content": self._blocks}
        elif event.type == "error":
            raise StreamedFailure(event.error or ErrorDetail("api_error"))
        elif event.type == "content_block_start":
            self._start_block(event)
        elif event.type == "content_block_delta":
            self._grow(self._open_block(event.index), event.delta)
        elif event.type == "content_block_stop":
            self._stop_block(self._open_block(event.index))
        elif event.type == "message_delta":
            self._close(event)
        elif event.type == "message_stop":
            self._ended = True

    def _start_block(self, event: _Event) -> None:
        if event.index != len(self._blocks):
            raise MalformedStream(f"block {event.index} where {len(self._blocks)} should begin")
        self._blocks.append(event.content_block)
        self._pieces = []

    def _open_block(self, index: int) -> Json:
        if not self._blocks or index != len(self._blocks) - 1:
            raise MalformedStream(f"block {index} is not open")
        return self._blocks[-1]

    def _grow(self, block: Json, delta: Json) -> None:
        kind = delta.get("type")
        if kind in _GROWING:
            self._pieces.append(str(delta.get(_GROWING[kind]) or ""))
            block.setdefault(_GROWING[kind], "")
        elif kind == "input_json_delta":
            self._pieces.append(str(delta.get("partial_json") or ""))
        elif kind == "signature_delta":
            block["signature"] = delta.get("signature")
        elif kind == "citations_delta":
            block["citations"] = [*_list(block.get("citations")), delta.get("citation")]

    def _stop_block(self, block: Json) -> None:
        told = "".join(self._pieces)
        if not told:
            return
        if "input" in block:
            self._read_input(block, told)
        else:
            field = (
                "thinking" if block.get("type") == "thinking" else "text" if "text" in block else "content"
            )
            block[field] = str(block.get(field) or "") + told

    def _read_input(self, block: Json, told: str) -> None:
        """Why an input is not whole is told only at the end of the message."""
        if self._unread is not None:
            raise MalformedStream("the input of a tool is no object")
        try:
            block["input"] = _object.decode(told)
        except msgspec.DecodeError:
            self._unread = block, told

    def _finish_input(self, stop_reason: object) -> None:
        """An input may be cut off where the whole answer was; the reason tells the client not to run the call."""
        if self._unread is None:
            return
        block, told = self._unread
        nesting = Nesting()
        told = nesting.feed(told)
        end = missing_end(told, nesting.missing, cut_off=True) if stop_reason in _CUT_OFF else None
        if end is None:
            raise MalformedStream("the input of a tool is no object")
        block["input"], self._unread = _object.decode(told + end), None

    def _close(self, event: _Event) -> None:
        if self._message is None:
            raise MalformedStream("message_delta before message_start")
        self._message |= event.delta
        self._finish_input(self._message.get("stop_reason"))
        usage = self._message.get("usage")
        told = {name: count for name, count in event.usage.items() if count is not None}
        self._message["usage"] = {**(usage if isinstance(usage, dict) else {}), **told}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
