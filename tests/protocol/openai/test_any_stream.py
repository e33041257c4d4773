"""What holds for every stream, however it is cut and whatever is interleaved in it."""

from __future__ import annotations

import itertools
import json
import tracemalloc
from collections.abc import Callable

import pytest
from anthropic._models import construct_type_unchecked
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import RawMessageStreamEvent
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import GatewayError
from gateway.protocol.anthropic.fold import message_of
from gateway.protocol.anthropic.relay import State
from gateway.protocol.openai.failure import FailedStream
from gateway.protocol.openai.response import anthropic_message
from tests import stream_grammar
from tests.protocol.openai.telling import (
    DONE,
    USAGE,
    Json,
    call,
    delta,
    finish,
    frame,
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


NUMBERINGS: list[Callable[[int, str], Json]] = [
    lambda index, call_id: {"index": index},
    lambda index, call_id: {"index": index, "id": call_id},
    lambda index, call_id: {"index": 0, "id": call_id},
    lambda index, call_id: {"id": call_id},
]


@st.composite
def answers(draw: st.DrawFn) -> tuple[list[bytes], str, str, list[Json]]:
    """Reasoning, text and parallel calls, shuffled together but each in its own order; and what they say.

    The index of a call is told rightly, or it is always 0 or missing, and then every fragment tells the id.
    """
    thinking, said = draw(st.text(max_size=12)), draw(st.text(max_size=12))
    inputs = st.dictionaries(st.text(max_size=3), st.text(max_size=4) | st.integers(), max_size=2)
    tools = [
        tool(f"call_{at}", f"tool_{at}", told) for at, told in enumerate(draw(st.lists(inputs, max_size=3)))
    ]
    numbering = draw(st.sampled_from(NUMBERINGS))
    tracks = [[delta({"reasoning_content": piece}) for piece in cut(draw, thinking)]]
    tracks.append([text(piece) for piece in cut(draw, said)])
    for index, each in enumerate(tools):
        fragments = cut(draw, json.dumps(each["input"]))
        number = numbering(index, each["id"])
        head = call("", each["name"], **{**number, "id": each["id"]})
        tracks.append([head, *(call(fragment, **number) for fragment in fragments)])
    order = draw(st.permutations([at for at, track in enumerate(tracks) for _ in track]))
    iterators = [iter(track) for track in tracks]
    return [next(iterators[at]) for at in order], thinking, said, tools


@settings(max_examples=150, deadline=None)
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


@settings(max_examples=100, deadline=None)
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


@settings(max_examples=75, deadline=None)
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


LITTLE = st.sampled_from(["", "{", "}", '"a"', ":", "1", "{}", '{"a":1}', "[", "\\", '"', "\n", "null"])
FRAGMENTS = st.fixed_dictionaries(
    {},
    optional={
        "index": st.none() | st.integers(-1, 2),
        "id": st.sampled_from([None, "", "a", "b", "not an id"]),
        "function": st.none()
        | st.fixed_dictionaries(
            {},
            optional={"name": st.sampled_from([None, "", "look", "find"]), "arguments": LITTLE | st.none()},
        ),
    },
)
DELTAS = st.fixed_dictionaries(
    {},
    optional={
        "content": st.none() | st.sampled_from(["", "a", "ST", "OP", "STOP"]),
        "reasoning": st.none() | st.sampled_from(["", "hm"]),
        "refusal": st.none() | st.sampled_from(["", "no"]),
        "tool_calls": st.none() | st.lists(FRAGMENTS, max_size=3),
    },
)


@settings(max_examples=200, deadline=None)
@given(
    deltas=st.lists(DELTAS, max_size=12),
    reason=st.sampled_from([None, "stop", "length", "tool_calls"]),
    together=st.booleans(),
)
def test_whatever_lies_about_calls_the_stream_obeys_the_grammar(
    deltas: list[Json], reason: str | None, together: bool
) -> None:
    pieces = [delta({"role": "assistant"}), *map(delta, deltas), finish(reason), DONE]
    events, reader = b"", opened(stop_sequences=["STOP"])
    try:
        for piece in [b"".join(pieces)] if together else pieces:
            events += reader.feed(piece)
        events += reader.finish()
    except FailedStream:
        assert events == b""
        return
    if stream_grammar.read(events, may_fail=True)[-1]["type"] == "message_stop":
        message_of(events)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.sampled_from(["stop", "length"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                [
                    "choices",
                    "delta",
                    "content",
                    "tool_calls",
                    "function",
                    "arguments",
                    "name",
                    "index",
                    "id",
                    "usage",
                    "prompt_tokens",
                    "finish_reason",
                    "error",
                    "message",
                    "code",
                    "type",
                    "object",
                ]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(told=st.lists(st.binary(max_size=40) | ANYTHING.map(frame), max_size=4), spoken=st.booleans())
def test_nothing_that_a_provider_sends_raises_anything_but_a_failed_stream(
    told: list[bytes], spoken: bool
) -> None:
    reader, events = opened(), b""
    try:
        events += reader.feed(text("a")) if spoken else b""
        for each in told:
            events += reader.feed(each)
        events += reader.finish()
    except FailedStream:
        assert (events, reader.state) == (b"", State.FAILED)
        return
    stream_grammar.read(events, may_fail=True)


@settings(max_examples=100, deadline=None)
@given(body=st.binary(max_size=40) | ANYTHING.map(lambda told: json.dumps(told).encode()))
def test_nothing_that_a_provider_answers_raises_anything_but_an_error_of_ours(body: bytes) -> None:
    try:
        anthropic_message(body, message_id="msg_1", model="m", input_estimate=1, tool_names={})
    except GatewayError:
        return
    assert b'"choices"' in body


TEN_MEGABYTES = 10 * 1024 * 1024


@pytest.mark.parametrize(
    "chunk",
    [
        text("x" * TEN_MEGABYTES),
        delta({"reasoning": "x" * TEN_MEGABYTES}),
        call(json.dumps({"a": "x" * TEN_MEGABYTES}), "look", index=0, id="c"),
        delta({"padding": "x" * TEN_MEGABYTES}),
        b": " + b"x" * TEN_MEGABYTES + b"\n\n",
    ],
    ids=["text", "reasoning", "arguments", "unknown field", "comment"],
)
def test_an_event_of_ten_megabytes_takes_a_few_times_its_size(chunk: bytes) -> None:
    reader = opened(stop_sequences=["STOP", "x" * 999 + "y"])
    reader.feed(text("a"))
    tracemalloc.start()
    for at in range(0, len(chunk), 1024 * 1024):
        reader.feed(chunk[at : at + 1024 * 1024])
    end = reader.feed(finish() + DONE)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert stream_grammar.frames(end)[-1]["type"] == "message_stop"
    assert peak < 8 * TEN_MEGABYTES


def test_an_endless_stream_of_text_is_not_kept() -> None:
    reader, piece = opened(stop_sequences=["STOP"]), text("x" * 1000) * 100
    reader.feed(piece)
    tracemalloc.start()
    for _ in range(100):
        reader.feed(piece)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1024 * 1024
