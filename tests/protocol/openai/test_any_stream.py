"""What holds for every stream, however it is cut and whatever is interleaved in it."""

from __future__ import annotations

import itertools
import json

from anthropic._models import construct_type_unchecked
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import RawMessageStreamEvent
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.protocol.anthropic.fold import message_of
from gateway.protocol.openai.response import anthropic_message
from tests import stream_grammar
from tests.protocol.openai.telling import (
    DONE,
    USAGE,
    Json,
    call,
    delta,
    finish,
    message,
    opened,
    text,
    tool,
    translated,
    usage,
)


def folded_by_the_sdk(stream: bytes) -> Json:
    snapshot, json_bufs = None, {}
    for data in stream_grammar.read(stream):
        if data["type"] != "ping":
            typed = construct_type_unchecked(value=data, type_=RawMessageStreamEvent)  # type: ignore[arg-type]
            snapshot = accumulate_event(event=typed, current_snapshot=snapshot, json_bufs=json_bufs)
    assert snapshot is not None
    told = json.loads(snapshot.to_json(exclude_unset=True))
    told.pop("stop_details", None)
    return told


def cut(draw: st.DrawFn, whole: str) -> list[str]:
    cuts = sorted(draw(st.lists(st.integers(0, len(whole)), max_size=4)))
    return [whole[start:end] for start, end in itertools.pairwise([0, *cuts, len(whole)])]


@st.composite
def answers(draw: st.DrawFn) -> tuple[list[bytes], str, str, list[Json]]:
    """Reasoning, text and parallel calls, shuffled together but each in its own order; and what they say."""
    thinking, said = draw(st.text(max_size=12)), draw(st.text(max_size=12))
    inputs = st.dictionaries(st.text(max_size=3), st.text(max_size=4) | st.integers(), max_size=2)
    tools = [
        tool(f"call_{at}", f"tool_{at}", told) for at, told in enumerate(draw(st.lists(inputs, max_size=3)))
    ]
    tracks = [[delta({"reasoning_content": piece}) for piece in cut(draw, thinking)]]
    tracks.append([text(piece) for piece in cut(draw, said)])
    for index, each in enumerate(tools):
        fragments = cut(draw, json.dumps(each["input"]))
        head = call("", each["name"], index=index, id=each["id"])
        tracks.append([head, *(call(fragment, index=index) for fragment in fragments)])
    order = draw(st.permutations([at for at, track in enumerate(tracks) for _ in track]))
    iterators = [iter(track) for track in tracks]
    return [next(iterators[at]) for at in order], thinking, said, tools


@settings(max_examples=300, deadline=None)
@given(answer=answers())
def test_any_interleaving_says_the_same_message(answer: tuple[list[bytes], str, str, list[Json]]) -> None:
    frames, thinking, said, tools = answer
    _, events = translated(*frames, finish(), usage(), DONE)
    told = json.loads(message_of(events))
    blocks = told["content"]
    assert "".join(block["thinking"] for block in blocks if block["type"] == "thinking") == thinking
    assert "".join(block["text"] for block in blocks if block["type"] == "text") == said
    assert sorted((b for b in blocks if b["type"] == "tool_use"), key=lambda b: b["id"]) == tools
    assert told["stop_reason"] == ("tool_use" if tools else "end_turn")
    assert told == folded_by_the_sdk(events)


@settings(max_examples=200, deadline=None)
@given(answer=answers(), cuts=st.lists(st.integers(0, 10_000), max_size=12), crlf=st.booleans())
def test_any_split_of_the_bytes_gives_the_same_events(
    answer: tuple[list[bytes], str, str, list[Json]], cuts: list[int], crlf: bool
) -> None:
    stream = b"".join(answer[0]) + finish() + usage() + DONE
    stream = stream.replace(b"\n", b"\r\n") if crlf else stream
    edges = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    reader = opened()
    events = b"".join(reader.feed(stream[start:end]) for start, end in itertools.pairwise(edges))
    assert events + reader.finish() == translated(stream)[1]


def without_nulls(value: Json) -> Json:
    return {
        key: without_nulls(each) if isinstance(each, dict) else each
        for key, each in value.items()
        if each is not None
    }


def joined(blocks: list[Json]) -> list[Json]:
    """Blocks in the order of a whole answer: one of thinking, one of text, then the calls."""
    thinking = "".join(block["thinking"] for block in blocks if block["type"] == "thinking")
    said = "".join(block["text"] for block in blocks if block["type"] == "text")
    calls = sorted((block for block in blocks if block["type"] == "tool_use"), key=lambda block: block["id"])
    head = [{"type": "thinking", "thinking": thinking, "signature": ""}] if thinking else []
    return head + ([{"type": "text", "text": said}] if said else []) + calls


@settings(max_examples=150, deadline=None)
@given(
    answer=answers(),
    reason=st.sampled_from(["stop", "tool_calls", "length", "content_filter", "eos"]),
    told=st.sampled_from([USAGE, {**USAGE, "prompt_tokens_details": {"cached_tokens": 4}}]),
)
def test_a_stream_says_the_same_message_as_the_whole_answer(
    answer: tuple[list[bytes], str, str, list[Json]], reason: str, told: Json
) -> None:
    frames, thinking, said, tools = answer
    calls = [
        {"id": each["id"], "function": {"name": each["name"], "arguments": json.dumps(each["input"])}}
        for each in tools
    ]
    choice = {
        "message": {"content": said, "reasoning_content": thinking, "tool_calls": calls},
        "finish_reason": reason,
    }
    whole = anthropic_message(
        json.dumps({"choices": [choice], "usage": told}).encode(),
        message_id="msg_1",
        model="catalog-name",
        input_estimate=12,
        tool_names={},
    )
    streamed = message(*frames, finish(reason), usage(told), DONE)
    assert without_nulls({**streamed, "content": joined(streamed["content"])}) == without_nulls(
        json.loads(whole.body)
    )
