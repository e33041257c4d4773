"""A folded stream is the message that the official SDK folds from it, byte by byte or all at once."""

from __future__ import annotations

import json

import pytest
from anthropic._models import construct_type_unchecked
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import RawMessageStreamEvent
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.protocol import sse
from gateway.protocol.anthropic.fold import Fold, StreamedFailure, message_of
from gateway.protocol.anthropic.relay import MalformedStream
from tests import stream_grammar

HEAD = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_reason": None}
USAGE = {"input_tokens": 5, "output_tokens": 1, "cache_creation": {"ephemeral_5m_input_tokens": 2}}
BLOCKS = {
    "text_delta": ({"type": "text", "text": ""}, "text"),
    "thinking_delta": ({"type": "thinking", "thinking": "", "signature": ""}, "thinking"),
    "input_json_delta": ({"type": "tool_use", "id": "t", "name": "f", "input": {}}, "partial_json"),
}


def event(kind: str, **fields: object) -> bytes:
    return sse.frame(kind, json.dumps({"type": kind, **fields}).encode())


def stream_of(blocks: list[tuple[str, list[str]]], usage: dict[str, int]) -> bytes:
    head = {**HEAD, "content": [], "stop_sequence": None, "usage": USAGE}
    frames = [event("message_start", message=head), event("ping")]
    for index, (kind, pieces) in enumerate(blocks):
        block, field = BLOCKS[kind]
        frames.append(event("content_block_start", index=index, content_block=block))
        frames += [event("content_block_delta", index=index, delta={"type": kind, field: p}) for p in pieces]
        frames.append(event("content_block_stop", index=index))
    delta = {"stop_reason": "end_turn", "stop_sequence": None}
    frames += [event("message_delta", delta=delta, usage=usage), event("message_stop")]
    return b"".join(frames)


def folded_by_the_sdk(stream: bytes) -> dict[str, object]:
    snapshot, json_bufs = None, {}
    for data in stream_grammar.read(stream):
        if data["type"] != "ping":
            typed = construct_type_unchecked(value=data, type_=RawMessageStreamEvent)  # type: ignore[arg-type]
            snapshot = accumulate_event(event=typed, current_snapshot=snapshot, json_bufs=json_bufs)
    assert snapshot is not None
    return json.loads(snapshot.to_json(exclude_unset=True))


pieces = st.lists(st.text(max_size=5), max_size=4)
inputs = st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=5), max_size=3).map(json.dumps)
blocks = st.one_of(
    st.tuples(st.sampled_from(["text_delta", "thinking_delta"]), pieces),
    inputs.map(lambda text: ("input_json_delta", [text[:3], text[3:]])),
)


@settings(max_examples=150, deadline=None)
@given(
    blocks=st.lists(blocks, max_size=4),
    usage=st.fixed_dictionaries({"output_tokens": st.integers(0, 99)}, optional={"input_tokens": st.just(7)}),
    size=st.integers(1, 200),
)
def test_any_stream_in_any_pieces_folds_as_in_the_official_sdk(
    blocks: list[tuple[str, list[str]]], usage: dict[str, int], size: int
) -> None:
    stream = stream_of(blocks, usage)
    fold = Fold()
    for start in range(0, len(stream), size):
        fold.feed(stream[start : start + size])
    ours, theirs = json.loads(fold.message()), folded_by_the_sdk(stream)
    theirs.pop("stop_details", None)
    assert ours == theirs


def test_blocks_and_fields_of_tomorrow_are_kept() -> None:
    block = {"type": "hologram", "voxels": [1, 2]}
    stream = (
        event("message_start", message={**HEAD, "orbit": 7, "usage": USAGE})
        + event("content_block_start", index=0, content_block=block)
        + event("content_block_delta", index=0, delta={"type": "voxel_delta", "voxel": 3})
        + event("content_block_stop", index=0)
        + event("message_delta", delta={"stop_reason": "end_turn", "container": {"id": "c"}}, usage={})
        + event("message_stop")
    )
    assert json.loads(message_of(stream)) == {
        **HEAD,
        "orbit": 7,
        "content": [block],
        "stop_reason": "end_turn",
        "container": {"id": "c"},
        "usage": USAGE,
    }


def test_signature_and_citations_land_in_their_block() -> None:
    deltas = [
        {"type": "thinking_delta", "thinking": "hm"},
        {"type": "signature_delta", "signature": "EqQB"},
    ]
    stream = (
        event("message_start", message={**HEAD, "usage": USAGE})
        + event("content_block_start", index=0, content_block=BLOCKS["thinking_delta"][0])
        + b"".join(event("content_block_delta", index=0, delta=delta) for delta in deltas)
        + event("content_block_stop", index=0)
        + event("content_block_start", index=1, content_block={"type": "text", "text": "", "citations": None})
        + event("content_block_delta", index=1, delta={"type": "citations_delta", "citation": {"at": 1}})
        + event("content_block_delta", index=1, delta={"type": "text_delta", "text": "so"})
        + event("content_block_stop", index=1)
        + event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 2})
        + event("message_stop")
    )
    assert json.loads(message_of(stream))["content"] == [
        {"type": "thinking", "thinking": "hm", "signature": "EqQB"},
        {"type": "text", "text": "so", "citations": [{"at": 1}]},
    ]


def test_an_input_that_the_maximal_length_cut_off_is_finished() -> None:
    whole = stream_of([("input_json_delta", ['{"path":"/t', 'mp","lines":[1,2'])], {"output_tokens": 1})
    told = json.loads(message_of(whole.replace(b'"end_turn"', b'"max_tokens"')))
    assert told["content"][0]["input"] == {"path": "/tmp", "lines": [1, 2]}


def test_a_stream_that_ends_in_an_error_is_no_message() -> None:
    error = event("error", error={"type": "overloaded_error", "message": "Overloaded"})
    with pytest.raises(StreamedFailure, match="overloaded_error: Overloaded") as raised:
        message_of(event("message_start", message={**HEAD, "usage": USAGE}) + error)
    assert (raised.value.detail.type, raised.value.detail.message) == ("overloaded_error", "Overloaded")


@pytest.mark.parametrize(
    "stream",
    [
        b"",
        stream_of([], {"output_tokens": 1}).replace(event("message_stop"), b""),
        stream_of([("input_json_delta", ['{"a'])], {"output_tokens": 1}),
        stream_of([("text_delta", ["a"])], {"output_tokens": 1}).replace(b'"index": 0', b'"index": 1'),
        b"data: nonsense\n\n",
    ],
    ids=["nothing", "cut off", "input that is no JSON", "a gap in the indexes", "garbage"],
)
def test_what_is_no_whole_stream_is_no_message(stream: bytes) -> None:
    with pytest.raises(MalformedStream):
        message_of(stream)
