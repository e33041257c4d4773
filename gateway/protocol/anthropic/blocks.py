"""The one writer of Anthropic stream events.

    message_start  ping  (block | ping)*  message_delta  message_stop        or, at any point, one error

Blocks are numbered 0, 1, 2, ... and only one is open at a time. A move that this grammar does not allow raises
`IllegalMove`, so that a fault in a translator ends in a test and not in a client.
"""

from __future__ import annotations

import enum

import msgspec

from gateway.protocol import sse
from gateway.protocol.anthropic import errors
from gateway.protocol.anthropic.usage import Usage

PING = sse.frame("ping", b'{"type":"ping"}')


class Place(enum.Enum):
    BEFORE = "before message_start"
    BETWEEN = "between blocks"
    TEXT = "in a text block"
    THINKING = "in a thinking block"
    TOOL_USE = "in a tool_use block"
    CLOSING = "after message_delta"
    ENDED = "after the end"


_BLOCKS = frozenset({Place.TEXT, Place.THINKING, Place.TOOL_USE})
_UNENDED = frozenset(Place) - {Place.BEFORE, Place.ENDED}

_DELTA = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{%b:%b}}\n\n'
_TEXT = b'"type":"text_delta","text"'
_THINKING = b'"type":"thinking_delta","thinking"'
_INPUT = b'"type":"input_json_delta","partial_json"'

_encode = msgspec.json.Encoder().encode


class IllegalMove(Exception):
    """An event that must not come here; the fault is the caller's."""


class BlockWriter:
    """Each method gives the bytes of one event (`start` those of two). `index` is the next block's number."""

    def __init__(self) -> None:
        self.place = Place.BEFORE
        self.index = 0

    def start(self, *, message_id: str, model: str, input_tokens: int) -> bytes:
        """`message_start`, and the ping that tells proxies and clients that the stream lives."""
        self._must_be(Place.BEFORE)
        self.place = Place.BETWEEN
        message: dict[str, object] = {
            "id": message_id,
            "type": "message",
            "role": "assistant",
            "model": model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {
                "input_tokens": input_tokens,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0,
                "output_tokens": 0,
            },
        }
        return sse.frame("message_start", _encode({"type": "message_start", "message": message})) + PING

    def ping(self) -> bytes:
        self._must_be(*_UNENDED)
        return PING

    def open_text(self) -> bytes:
        return self._open(Place.TEXT, b'{"type":"text","text":""}')

    def open_thinking(self) -> bytes:
        """A thinking block that nobody has signed, and nobody will."""
        return self._open(Place.THINKING, b'{"type":"thinking","thinking":"","signature":""}')

    def open_tool_use(self, *, tool_use_id: str, name: str) -> bytes:
        block = {"type": "tool_use", "id": tool_use_id, "name": name, "input": {}}
        return self._open(Place.TOOL_USE, _encode(block))

    def text(self, text: str) -> bytes:
        self._must_be(Place.TEXT)
        return _DELTA % (self.index, _TEXT, _encode(text))

    def thinking(self, thinking: str) -> bytes:
        self._must_be(Place.THINKING)
        return _DELTA % (self.index, _THINKING, _encode(thinking))

    def input_json(self, fragment: str) -> bytes:
        """A piece of a tool's input; all pieces of one block joined are a JSON object, or nothing."""
        self._must_be(Place.TOOL_USE)
        return _DELTA % (self.index, _INPUT, _encode(fragment))

    def close(self) -> bytes:
        """End the open block."""
        self._must_be(*_BLOCKS)
        index, self.index, self.place = self.index, self.index + 1, Place.BETWEEN
        return sse.frame("content_block_stop", b'{"type":"content_block_stop","index":%d}' % index)

    def message_delta(
        self,
        *,
        stop_reason: str,
        stop_sequence: str | None,
        usage: Usage,
        stop_details: dict[str, str | None] | None = None,
    ) -> bytes:
        """The one `message_delta`; of `usage` what is known goes out, and always the output."""
        self._must_be(Place.BETWEEN)
        self.place = Place.CLOSING
        counts = {name: value for name, value in msgspec.structs.asdict(usage).items() if value is not None}
        delta: dict[str, object] = {"stop_reason": stop_reason, "stop_sequence": stop_sequence}
        if stop_details is not None:
            delta["stop_details"] = stop_details
        body = {
            "type": "message_delta",
            "delta": delta,
            "usage": {"output_tokens": 0, **counts},
        }
        return sse.frame("message_delta", _encode(body))

    def message_stop(self) -> bytes:
        self._must_be(Place.CLOSING)
        self.place = Place.ENDED
        return sse.frame("message_stop", b'{"type":"message_stop"}')

    def error(self, *, error_type: str, message: str, request_id: str) -> bytes:
        """The end of a stream that cannot go on; nothing follows it."""
        self._must_be(Place.BEFORE, *_UNENDED)
        self.place = Place.ENDED
        return errors.error_event(error_type, message, request_id)

    def _open(self, place: Place, block: bytes) -> bytes:
        self._must_be(Place.BETWEEN)
        self.place = place
        start = b'{"type":"content_block_start","index":%d,"content_block":%b}' % (self.index, block)
        return sse.frame("content_block_start", start)

    def _must_be(self, *places: Place) -> None:
        if self.place not in places:
            raise IllegalMove(f"not allowed {self.place.value}")
