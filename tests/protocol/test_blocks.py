"""The one writer of events: what it writes obeys the grammar, and it refuses to write anything else."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.anthropic.blocks import BlockWriter, IllegalMove
from gateway.protocol.anthropic.usage import Usage
from tests import stream_grammar

MOVES: dict[str, Callable[[BlockWriter], bytes]] = {
    "start": lambda writer: writer.start(message_id="msg_1", model="m", input_tokens=3),
    "ping": lambda writer: writer.ping(),
    "open_text": lambda writer: writer.open_text(),
    "open_thinking": lambda writer: writer.open_thinking(),
    "open_tool_use": lambda writer: writer.open_tool_use(tool_use_id="t", name="f"),
    "text": lambda writer: writer.text("a"),
    "thinking": lambda writer: writer.thinking("b"),
    "input_json": lambda writer: writer.input_json(""),
    "close": lambda writer: writer.close(),
    "message_delta": lambda writer: writer.message_delta(
        stop_reason="end_turn", stop_sequence=None, usage=Usage(output_tokens=1)
    ),
    "message_stop": lambda writer: writer.message_stop(),
    "error": lambda writer: writer.error(error_type="api_error", message="broken", request_id="req_1"),
}
INSIDE = {"ping", "close", "error"}
AFTER = {
    (): {"start", "error"},
    ("start",): {"ping", "open_text", "open_thinking", "open_tool_use", "message_delta", "error"},
    ("start", "open_text"): {"text", *INSIDE},
    ("start", "open_thinking"): {"thinking", *INSIDE},
    ("start", "open_tool_use"): {"input_json", *INSIDE},
    ("start", "message_delta"): {"ping", "message_stop", "error"},
    ("start", "message_delta", "message_stop"): set(),
    ("error",): set(),
}


def after(moves: tuple[str, ...]) -> BlockWriter:
    writer = BlockWriter()
    for move in moves:
        MOVES[move](writer)
    return writer


@pytest.mark.parametrize("moves", AFTER, ids=lambda moves: "-".join(moves) or "nothing")
def test_in_each_place_just_the_legal_moves_are_allowed(moves: tuple[str, ...]) -> None:
    allowed = set()
    for name, move in MOVES.items():
        try:
            move(after(moves))
            allowed.add(name)
        except IllegalMove:
            pass
    assert allowed == AFTER[moves]


@given(wishes=st.lists(st.sampled_from(sorted(MOVES)), max_size=30))
def test_whatever_is_tried_the_stream_obeys_the_grammar(wishes: list[str]) -> None:
    writer, stream = after(("start",)), MOVES["start"](BlockWriter())
    for wish in wishes:
        try:
            stream += MOVES[wish](writer)
        except IllegalMove:
            continue
    if writer.place.name != "ENDED":
        stream += MOVES["error"](writer)
    stream_grammar.read(stream, may_fail=True)


def test_a_message_of_three_blocks_is_written_byte_for_byte() -> None:
    writer = BlockWriter()
    stream = b"".join(
        [
            writer.start(message_id="msg_1", model="m", input_tokens=3),
            writer.open_thinking(),
            writer.thinking("hm"),
            writer.close(),
            writer.open_text(),
            writer.text('"\n\u2028é'),
            writer.close(),
            writer.open_tool_use(tool_use_id="toolu_1", name="look"),
            writer.input_json('{"a":1}'),
            writer.close(),
            writer.message_delta(
                stop_reason="tool_use", stop_sequence=None, usage=Usage(input_tokens=9, output_tokens=7)
            ),
            writer.message_stop(),
        ]
    )
    start, *events = stream_grammar.read(stream)
    assert start["message"]["usage"]["input_tokens"] == 3
    assert events == [
        {"type": "ping"},
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "thinking", "thinking": "", "signature": ""},
        },
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": '"\n\u2028é'}},
        {"type": "content_block_stop", "index": 1},
        {
            "type": "content_block_start",
            "index": 2,
            "content_block": {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}},
        },
        {
            "type": "content_block_delta",
            "index": 2,
            "delta": {"type": "input_json_delta", "partial_json": '{"a":1}'},
        },
        {"type": "content_block_stop", "index": 2},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "tool_use", "stop_sequence": None},
            "usage": {"output_tokens": 7, "input_tokens": 9},
        },
        {"type": "message_stop"},
    ]
