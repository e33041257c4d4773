"""The check on streams must itself catch what it is for, and let pass what a provider may say."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from gateway.protocol.anthropic.grammar import MAX_INPUT, BrokenStream, Grammar, Place
from tests import stream_grammar

TRANSCRIPTS = sorted((Path(__file__).parents[1] / "transcripts").glob("*.sse"))

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
TOOL = {**OPEN, "content_block": {"type": "tool_use", "id": "t", "name": "f", "input": {}}}
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


BROKEN_ORDERS = [
    [],
    WHOLE[:-1],
    [*WHOLE, PING],
    [*WHOLE, ERROR],
    [START, ERROR, ERROR],
    [START, *WHOLE],
    [START, DELTA, CLOSE, END, STOP],
    [START, OPEN, END, STOP],
    [START, {**OPEN, "index": 1}],
    [START, OPEN, {**DELTA, "index": 1}, CLOSE, END, STOP],
    [START, OPEN, {**DELTA, "delta": {"type": "input_json_delta", "partial_json": ""}}, CLOSE, END, STOP],
    [START, OPEN, {**DELTA, "delta": {"type": "text_delta"}}, CLOSE, END, STOP],
    [START, OPEN, {**DELTA, "delta": {}}, CLOSE, END, STOP],
    [START, {"type": "content_block_start", "index": 0}],
    [START, {"type": "message_delta", "delta": END["delta"]}, STOP],
    [START, {**END, "usage": {"output_tokens": -1}}, STOP],
    [{**START, "message": {**START["message"], "usage": {"output_tokens": 1}}}],
    [{**START, "message": {**START["message"], "content": [{}]}}],
    [START, {"type": "error", "error": {"type": "api_error"}}],
    [START, STOP],
]


@pytest.mark.parametrize("ours", [True, False])
@pytest.mark.parametrize("broken", BROKEN_ORDERS)
def test_a_broken_order_is_named(broken: list[dict[str, Any]], ours: bool) -> None:
    with pytest.raises(BrokenStream):
        stream_grammar.read(stream(*broken), may_fail=True, ours=ours)


@pytest.mark.parametrize("ours", [True, False])
@pytest.mark.parametrize(
    "broken",
    [
        b'data: {"type":"ping"}\n\n',
        b"event: ping\ndata: {\n\n",
        b'event: ping\ndata: {"type":"pong"}\n\n',
        b'event: message_start\ndata: {"type":"message_start","message":7}\n\n',
        b"<html></html>\n\n",
    ],
)
def test_a_broken_frame_is_named(broken: bytes, ours: bool) -> None:
    with pytest.raises(BrokenStream):
        Grammar(ours=ours).feed(stream(START) + broken)


def test_a_stream_that_breaks_off_inside_a_frame_is_named() -> None:
    grammar = Grammar()
    grammar.feed(stream(*WHOLE)[:-1])
    with pytest.raises(BrokenStream, match="the last frame is not finished"):
        grammar.finish()


def test_the_message_tells_which_event_is_wrong_and_how() -> None:
    with pytest.raises(
        BrokenStream, match=r"^event 2: the index should be 0 in b'event: content_block_start"
    ):
        Grammar().feed(stream(START, PING, {**OPEN, "index": 1}))


NEW_BLOCK = {"type": "content_block_start", "index": 0, "content_block": {"type": "hologram", "voxels": [1]}}
NEW_DELTA = {"type": "content_block_delta", "index": 0, "delta": {"type": "voxel_delta", "text": None}}
CITATION = {
    "type": "content_block_delta",
    "index": 0,
    "delta": {"type": "citations_delta", "citation": {"a": 1}},
}
SEARCH = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}
FOUND = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}
CUT_OFF = {"type": "input_json_delta", "partial_json": '{"path": "/t'}


@pytest.mark.parametrize(
    "events",
    [
        [PING, *WHOLE],
        [START, {"type": "tomorrow", "delta": 7, "index": "x"}, END, STOP],
        [START, NEW_BLOCK, NEW_DELTA, CLOSE, END, STOP],
        [START, OPEN, NEW_DELTA, CLOSE, END, STOP],
        [START, TOOL, {**DELTA, "delta": CUT_OFF}, CLOSE, END, STOP],
        [START, END, {**END, "delta": {"stop_reason": None}}, PING, END, STOP],
        [START, {**END, "delta": {"stop_reason": "tired"}}, STOP],
    ],
    ids=["ping first", "event", "block", "delta", "input cut off", "message_deltas", "stop reason"],
)
def test_what_is_new_may_come_from_a_provider_but_not_from_us(events: list[dict[str, Any]]) -> None:
    stream_grammar.read(stream(*events), ours=False)
    with pytest.raises(BrokenStream):
        stream_grammar.read(stream(*events))


@pytest.mark.parametrize("ours", [True, False])
def test_server_tools_and_citations_are_known(ours: bool) -> None:
    query = {"type": "input_json_delta", "partial_json": '{"query":"cats"}'}
    events = [START, {**OPEN, "content_block": SEARCH}, {**DELTA, "delta": query}, CLOSE]
    Grammar(ours=ours).feed(stream(*events, {**OPEN, "index": 1}, {**CITATION, "index": 1}))
    Grammar().feed(stream(*events, {**OPEN, "index": 1, "content_block": FOUND}, {**CLOSE, "index": 1}))


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda path: path.stem)
@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_what_anthropic_sends_obeys_however_it_is_cut(transcript: Path, size: int) -> None:
    raw, grammar = transcript.read_bytes(), Grammar()
    for at in range(0, len(raw), size):
        grammar.feed(raw[at : at + size])
    grammar.finish()
    assert (grammar.place, grammar.failed) == (Place.ENDED, False)


@pytest.mark.parametrize("end", [b"\r\n", b"\r"])
def test_other_line_ends_comments_and_fields_are_a_providers_business(end: bytes) -> None:
    raw = (b": hello\n\nretry: 10\n\n" + stream(*WHOLE)).replace(b"\n", end)
    grammar = Grammar()
    grammar.feed(raw)
    grammar.finish()
    with pytest.raises(BrokenStream):
        Grammar(ours=True).feed(raw)


def test_the_input_of_our_tools_is_an_object() -> None:
    for told in ("[1]", '{"a"', "7"):
        delta = {**DELTA, "delta": {"type": "input_json_delta", "partial_json": told}}
        with pytest.raises(BrokenStream, match="the input of a tool is no object"):
            Grammar(ours=True).feed(stream(START, TOOL, delta, CLOSE))


@pytest.mark.parametrize("ours", [True, False])
def test_an_endless_input_is_not_kept(ours: bool) -> None:
    piece = frame({**DELTA, "delta": {"type": "input_json_delta", "partial_json": "x" * 100_000}})
    grammar = Grammar(ours=ours)
    grammar.feed(stream(START, TOOL))
    tracemalloc.start()
    for _ in range(200):
        grammar.feed(piece)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * MAX_INPUT


def test_a_frame_without_an_end_is_not_kept_forever() -> None:
    grammar, piece = Grammar(), b"x" * (8 * 1024 * 1024)
    with pytest.raises(BrokenStream, match="a frame of more than 33554432 bytes"):
        for _ in range(5):
            grammar.feed(piece)


def stream(*events: dict[str, Any]) -> bytes:
    return b"".join(frame(event) for event in events)


def frame(event: dict[str, Any]) -> bytes:
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
