"""Text of chat completion chunks on its way to an Anthropic client, from the first byte on."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.protocol.anthropic.fold import message_of
from gateway.protocol.anthropic.relay import State
from tests import stream_grammar
from tests.protocol.openai.telling import (
    DONE,
    ROLE,
    Json,
    call,
    content,
    delta,
    finish,
    frame,
    message,
    opened,
    text,
    translated,
    usage,
)


def test_the_first_chunk_starts_the_message_with_the_estimate_and_a_ping() -> None:
    events = stream_grammar.frames(opened().feed(delta(ROLE)))
    assert [event["type"] for event in events] == ["message_start", "ping"]
    assert events[0]["message"] == {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "catalog-name",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {
            "input_tokens": 12,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": 0,
        },
    }


def test_comments_and_empty_frames_start_nothing() -> None:
    reader = opened()
    assert reader.feed(b": OPENROUTER PROCESSING\n\n\n\ndata:\n\n") == b""
    assert reader.state is State.WAITING


def test_an_estimate_of_nothing_is_told_as_one_token() -> None:
    events = stream_grammar.frames(opened(input_estimate=0).feed(delta(ROLE)))
    assert events[0]["message"]["usage"]["input_tokens"] == 1


def test_a_first_chunk_without_choices_starts_the_message() -> None:
    assert content(frame({"choices": [], "prompt_filter_results": []}), text("hi")) == [
        {"type": "text", "text": "hi"}
    ]


def test_each_piece_goes_out_with_the_chunk_that_brought_it() -> None:
    reader = opened()
    reader.feed(delta(ROLE))
    told = [stream_grammar.text_of(stream_grammar.frames(reader.feed(text(piece)))) for piece in "abc"]
    assert told == ["a", "b", "c"]


def test_empty_deltas_open_no_block() -> None:
    empty = [ROLE, {}, None, {"content": None}, {"content": ""}, {"reasoning": ""}, {"tool_calls": []}]
    assert content(*(delta(each) for each in empty)) == []


def test_a_refusal_is_text_and_the_reason_to_stop() -> None:
    told = message(delta({"refusal": "I cannot"}), finish("stop"), DONE)
    assert (told["content"], told["stop_reason"]) == ([{"type": "text", "text": "I cannot"}], "refusal")
    assert told["stop_details"] == {"type": "refusal", "category": None, "explanation": "I cannot"}


def test_the_providers_name_for_the_answer_is_kept() -> None:
    first = frame({"id": "", "choices": []})
    assert translated(first, text("a"), finish(), DONE)[0].provider_id == "chatcmpl-1"
    assert translated(frame({"id": 7, "choices": []}), finish(), DONE)[0].provider_id == "chatcmpl-1"


def test_a_second_choice_is_left_out_and_noted() -> None:
    other = frame({"choices": [{"index": 1, "delta": {"content": "other"}}]})
    reader, events = translated(text("a"), other, finish(), DONE)
    assert json.loads(message_of(events))["content"] == [{"type": "text", "text": "a"}]
    assert reader.unknown == [("choice", "1")]


# Bytes


def test_a_character_may_fall_between_two_chunks() -> None:
    reader, stream = opened(), text("naïve 🙂\u2028end") + finish() + DONE
    events = b"".join(reader.feed(stream[at : at + 1]) for at in range(len(stream)))
    assert stream_grammar.text_of(stream_grammar.read(events)) == "naïve 🙂\u2028end"


def test_half_a_surrogate_pair_is_replaced_and_the_rest_goes_through() -> None:
    halves = [
        b'data: {"choices":[{"delta":{"content":"a\\ud83d"}}]}\n\n',
        b'data: {"choices":[{"delta":{"content":"\\ude42b"}}]}\n\n',
    ]
    assert content(*halves) == [{"type": "text", "text": "a\ufffd\ufffdb"}]
    pair = b'data: {"choices":[{"delta":{"content":"\\ud83d\\ude42 \\\\ud83d \\ud83d"}}]}\n\n'
    assert content(pair) == [{"type": "text", "text": "🙂 \\ud83d \ufffd"}]


@pytest.mark.parametrize("end", [b"\r\n", b"\r"])
def test_other_line_ends_and_comments_make_no_difference(end: bytes) -> None:
    plain = delta(ROLE) + b": comment\n\n" + text("a") + b"event: x\nid: 1\n" + finish() + DONE
    assert translated(plain.replace(b"\n", end))[1] == translated(plain)[1]


# Stop sequences


def test_text_ends_before_a_stop_sequence_and_the_rest_is_dropped() -> None:
    told = message(
        text("one ST"),
        text("OP two"),
        call("{}", "a", index=0, id="c"),
        finish("length"),
        usage(),
        DONE,
        stop_sequences=["END", "STOP"],
    )
    assert (told["content"], told["stop_reason"], told["stop_sequence"], told["usage"]["output_tokens"]) == (
        [{"type": "text", "text": "one "}],
        "stop_sequence",
        "STOP",
        7,
    )


def test_only_what_may_become_a_stop_sequence_is_held() -> None:
    reader = opened(stop_sequences=["STOP"])
    told = [
        stream_grammar.text_of(stream_grammar.frames(reader.feed(text(t)))) for t in ["aS", "T", "x", "S"]
    ]
    assert told == ["a", "", "STx", ""]
    assert stream_grammar.text_of(stream_grammar.frames(reader.feed(finish() + DONE))) == "S"


def test_held_text_goes_out_before_another_block() -> None:
    blocks = content(text("S"), delta({"reasoning": "hm"}), text("S"), stop_sequences=["STOP"])
    assert [block.get("text") or block["thinking"] for block in blocks] == ["S", "hm", "S"]


def test_an_answer_that_is_only_a_stop_sequence_has_no_content() -> None:
    told = message(text("STOP"), finish(), DONE, stop_sequences=["STOP"])
    assert (told["content"], told["stop_sequence"]) == ([], "STOP")


def test_after_a_stop_sequence_the_provider_may_just_go_silent() -> None:
    assert message(text("a STOP"), stop_sequences=["STOP"])["stop_reason"] == "stop_sequence"


@pytest.mark.parametrize("field", ["stop_reason", "matched_stop"])
def test_a_stop_sequence_that_the_provider_tells_is_reported(field: str) -> None:
    told = message(text("a"), finish("stop", **{field: "STOP"}), DONE, stop_sequences=["STOP"])
    assert (told["stop_reason"], told["stop_sequence"]) == ("stop_sequence", "STOP")


def test_a_told_stop_sequence_stands_although_text_still_waits_behind_a_call() -> None:
    told = message(
        call('{"a"', "look", index=0, id="c"),
        text("so"),
        call(':"b"', index=0),
        finish("stop", stop_reason="STOP"),
        DONE,
        stop_sequences=["STOP"],
    )
    assert (told["stop_sequence"], [block["type"] for block in told["content"]]) == (
        "STOP",
        ["tool_use", "text"],
    )


@settings(max_examples=200, deadline=None)
@given(
    told=st.text("abc", max_size=30),
    sequences=st.lists(st.text("abc", min_size=1, max_size=4), max_size=4),
    sizes=st.lists(st.integers(1, 5), max_size=30),
)
def test_however_the_text_is_cut_it_ends_before_the_same_stop_sequence(
    told: str, sequences: list[str], sizes: list[int]
) -> None:
    pieces, rest = [], told
    for size in sizes:
        pieces.append(rest[:size])
        rest = rest[size:]
    options: Json = {"stop_sequences": sequences}
    whole = message(text(told), finish(), DONE, **options)
    cut = message(*map(text, [*pieces, rest]), finish(), DONE, **options)
    ends = [told.find(each) + len(each) for each in sequences if each in told]
    assert {**cut, "usage": 0} == {**whole, "usage": 0}
    assert (whole["stop_reason"] == "stop_sequence") == bool(ends)
    if ends:
        kept = "".join(block["text"] for block in whole["content"])
        assert kept + whole["stop_sequence"] == told[: min(ends)]
