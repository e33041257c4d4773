"""The check on streams must itself catch what it is for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests import stream_grammar

START = {
    "type": "message_start",
    "message": {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    },
}
OPEN = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
DELTA = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}}
CLOSE = {"type": "content_block_stop", "index": 0}
END = {
    "type": "message_delta",
    "delta": {"stop_reason": "end_turn", "stop_sequence": None},
    "usage": {"output_tokens": 1},
}
STOP = {"type": "message_stop"}
PING = {"type": "ping"}
ERROR = {"type": "error", "error": {"type": "api_error", "message": "It broke."}}
WHOLE = [START, PING, OPEN, DELTA, PING, CLOSE, END, STOP]


def test_a_whole_stream_is_read() -> None:
    assert stream_grammar.read(stream(*WHOLE)) == WHOLE


@pytest.mark.parametrize("cut", range(len(WHOLE)))
def test_one_error_may_end_a_stream_anywhere(cut: int) -> None:
    events = [*WHOLE[:cut], ERROR]

    assert stream_grammar.read(stream(*events), may_fail=True) == events


@pytest.mark.parametrize(
    "broken",
    [
        [],
        WHOLE[:-1],
        [*WHOLE, PING],
        [*WHOLE, ERROR],
        [START, ERROR, ERROR],
        [PING, *WHOLE],
        [START, *WHOLE],
        [START, DELTA, CLOSE, END, STOP],
        [START, OPEN, END, STOP],
        [START, {**OPEN, "index": 1}],
        [START, OPEN, {**DELTA, "index": 1}, CLOSE, END, STOP],
        [START, OPEN, {**DELTA, "delta": {"type": "input_json_delta", "partial_json": ""}}, CLOSE, END, STOP],
        [START, {"type": "message_delta", "delta": END["delta"]}, STOP],
        [START, STOP],
    ],
)
def test_a_broken_order_is_named(broken: list[dict[str, Any]]) -> None:
    with pytest.raises(stream_grammar.Broken):
        stream_grammar.read(stream(*broken), may_fail=True)


@pytest.mark.parametrize(
    "broken",
    [
        b"event: ping\n\n",
        b'data: {"type":"ping"}\n\n',
        b"event: ping\ndata: {\n\n",
        b'event: ping\ndata: {"type":"pong"}\n\n',
        b'event: ping\ndata: {"type":"ping"}\n',
    ],
)
def test_a_broken_frame_is_named(broken: bytes) -> None:
    with pytest.raises(stream_grammar.Broken):
        stream_grammar.frames(broken)


def stream(*events: dict[str, Any]) -> bytes:
    return b"".join(frame(event) for event in events)


def frame(event: dict[str, Any]) -> bytes:
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
