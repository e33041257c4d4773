"""A finished message as the events of a stream, one frame each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from gateway.simulator.composition import Message, OutputDetails, Said

Event = dict[str, Any]  # a JSON object on its way out; it stays inside this module


def frames(message: Message) -> list[bytes]:
    """message_start, ping, the blocks with several deltas each, message_delta, message_stop."""
    return [_frame(event) for event in _events(message)]


def _events(message: Message) -> Iterator[Event]:
    yield {"type": "message_start", "message": _opening(message)}
    yield {"type": "ping"}
    for index, block in enumerate(message.content):
        yield {"type": "content_block_start", "index": index, "content_block": _empty(block)}
        for delta in _deltas(block):
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    usage = message.usage
    yield {
        "type": "message_delta",
        "delta": {"stop_reason": message.stop_reason, "stop_sequence": message.stop_sequence},
        "usage": {
            "input_tokens": usage.input_tokens,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": usage.output_tokens,
            "output_tokens_details": usage.output_tokens_details,
        },
    }
    yield {"type": "message_stop"}


def _opening(message: Message) -> Message:
    """The message as it is before anything was said."""
    begun = msgspec.structs.replace(message.usage, output_tokens=0, output_tokens_details=OutputDetails())
    return msgspec.structs.replace(message, content=[], stop_reason=None, stop_sequence=None, usage=begun)


def _empty(block: Said) -> Event:
    match block.type:
        case "thinking":
            return {"type": "thinking", "thinking": "", "signature": ""}
        case "tool_use":
            return {"type": "tool_use", "id": block.id, "name": block.name, "input": {}}
    return {"type": "text", "text": "", "citations": None}


def _deltas(block: Said) -> Iterator[Event]:
    match block.type:
        case "thinking":
            for part in _pieces(block.thinking or ""):
                yield {"type": "thinking_delta", "thinking": part}
            yield {"type": "signature_delta", "signature": block.signature}
        case "tool_use":
            yield {"type": "input_json_delta", "partial_json": ""}
            for part in _pieces(msgspec.json.encode(block.input).decode()):
                yield {"type": "input_json_delta", "partial_json": part}
        case _:
            for part in _pieces(block.text or ""):
                yield {"type": "text_delta", "text": part}


def _pieces(text: str) -> list[str]:
    """Two words at a time, spaces kept, so that a stream shows several deltas; long words are cut at 24."""
    return re.findall(r"(?:\s*\S{1,24}){1,2}\s*", text) or ([text] if text else [])


def _frame(event: Event) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (event["type"].encode(), msgspec.json.encode(event))
