"""Chat completion chunks become Anthropic events: every trap that providers set, one sentence each."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from anthropic._models import construct_type_unchecked
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import RawMessageStreamEvent
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.protocol.anthropic.fold import message_of
from gateway.protocol.anthropic.relay import State
from gateway.protocol.openai.failure import FailedStream
from gateway.protocol.openai.response import anthropic_message
from gateway.protocol.openai.stream import OpenAIStream
from tests import stream_grammar

Json = dict[str, Any]

DONE = b"data: [DONE]\n\n"
ROLE = {"role": "assistant", "content": ""}
USAGE = {"prompt_tokens": 20, "completion_tokens": 7, "total_tokens": 27}


def frame(body: object) -> bytes:
    return b"data: " + json.dumps(body, ensure_ascii=False).encode() + b"\n\n"


def delta(delta: Json | None, **chunk: object) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": None}
    return frame({"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": [choice], **chunk})


def finish(reason: str | None = "stop", **choice: object) -> bytes:
    choice = {"index": 0, "delta": {}, "finish_reason": reason, **choice}
    return frame({"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": [choice]})


def usage(told: Json | None = None) -> bytes:
    return frame({"choices": [], "usage": told or USAGE})


def text(content: str) -> bytes:
    return delta({"content": content})


def call(arguments: str | None = None, name: str | None = None, **fragment: object) -> bytes:
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    return delta({"tool_calls": [{**fragment, "function": function}]})


def opened(**options: Any) -> OpenAIStream:
    minted = itertools.count(1)
    settings = {"message_id": "msg_1", "model": "catalog-name", "input_estimate": 12}
    return OpenAIStream(mint=lambda: f"toolu_01minted{next(minted)}", **{**settings, **options})


def translated(*stream: bytes, **options: Any) -> tuple[OpenAIStream, bytes]:
    """All of a provider's stream at once, and what came of it; always a stream by the grammar."""
    reader = opened(**options)
    events = reader.feed(b"".join(stream)) + reader.finish()
    stream_grammar.read(events, may_fail=True)
    return reader, events


def message(*stream: bytes, **options: Any) -> Json:
    return json.loads(message_of(translated(*stream, **options)[1]))


def content(*stream: bytes, **options: Any) -> list[Json]:
    return message(*stream, finish(), DONE, **options)["content"]


def error(*stream: bytes, **options: Any) -> tuple[str, str]:
    """The error event that ends the stream, after content."""
    reader, events = translated(*stream, **options)
    last = stream_grammar.read(events, may_fail=True)[-1]
    assert (last["type"], reader.state, reader.error is not None) == ("error", State.FAILED, True)
    return last["error"]["type"], last["error"]["message"]


def tool(call_id: str, name: str, arguments: Json) -> Json:
    return {"type": "tool_use", "id": call_id, "name": name, "input": arguments}


# The beginning


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


# Text, reasoning, refusal


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning_becomes_a_thinking_block_that_nobody_signed(field: str) -> None:
    assert content(delta({field: "let me "}), delta({field: "see"}), text("42")) == [
        {"type": "thinking", "thinking": "let me see", "signature": ""},
        {"type": "text", "text": "42"},
    ]


def test_reasoning_told_under_both_names_is_taken_once() -> None:
    both = delta({"reasoning": "hm", "reasoning_content": "hm", "reasoning_details": [{"text": "hm"}]})
    reader, events = translated(both, text("a"), finish(), DONE)
    assert json.loads(message_of(events))["content"][0]["thinking"] == "hm"
    assert reader.unknown == []


def test_no_signature_is_ever_sent() -> None:
    _, events = translated(delta({"reasoning": "hm"}), text("a"), finish(), DONE)
    assert b"signature_delta" not in events


def test_empty_deltas_open_no_block() -> None:
    empty = [ROLE, {}, None, {"content": None}, {"content": ""}, {"reasoning": ""}, {"tool_calls": []}]
    assert content(*(delta(each) for each in empty)) == []


def test_reasoning_after_text_opens_a_second_thinking_block() -> None:
    blocks = content(delta({"reasoning": "a"}), text("b"), delta({"reasoning": "c"}), text("d"))
    assert [block["type"] for block in blocks] == ["thinking", "text", "thinking", "text"]


def test_a_refusal_is_text_and_the_reason_to_stop() -> None:
    told = message(delta({"refusal": "I cannot"}), finish("stop"), DONE)
    assert (told["content"], told["stop_reason"]) == ([{"type": "text", "text": "I cannot"}], "refusal")
    assert told["stop_details"] == {"type": "refusal", "category": None, "explanation": "I cannot"}


def test_content_in_parts_is_told_as_thinking_and_text() -> None:
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
        {"type": "text", "text": "a"},
    ]
    reader, events = translated(delta({"content": [*parts, {"type": "smell"}]}), finish(), DONE)
    blocks = json.loads(message_of(events))["content"]
    assert [block["type"] for block in blocks] == ["thinking", "text"]
    assert reader.unknown == [("content part", "smell")]


# Tool calls


def test_a_call_is_told_fragment_by_fragment() -> None:
    reader = opened()
    reader.feed(call("", "look", index=0, id="call_1"))
    events = stream_grammar.frames(reader.feed(call('{"a', index=0)) + reader.feed(call('":1}', index=0)))
    assert [event["delta"]["partial_json"] for event in events] == ['{"a', '":1}']


def test_parallel_calls_in_turn_are_told_in_turn() -> None:
    assert content(
        text("so"),
        call("", "a", index=0, id="call_1"),
        call('{"x":1}', index=0),
        call("", "b", index=1, id="call_2"),
        call('{"y":2}', index=1),
    ) == [{"type": "text", "text": "so"}, tool("call_1", "a", {"x": 1}), tool("call_2", "b", {"y": 2})]


def test_the_second_call_is_told_as_it_comes_once_the_first_is_whole() -> None:
    reader = opened()
    reader.feed(call('{"x":1}', "a", index=0, id="call_1") + call('{"y', "b", index=1, id="call_2"))
    events = stream_grammar.frames(reader.feed(call('":2}', index=1)))
    assert [event["delta"]["partial_json"] for event in events] == ['":2}']


def test_interleaved_calls_are_held_until_the_open_one_is_whole() -> None:
    assert content(
        call('{"x"', "a", index=0, id="call_1"),
        call('{"y"', "b", index=1, id="call_2"),
        call(":1}", index=0),
        call(":2}", index=1),
    ) == [tool("call_1", "a", {"x": 1}), tool("call_2", "b", {"y": 2})]


@pytest.mark.parametrize("index", [{"index": 0}, {}], ids=["always index 0", "no index"])
def test_calls_are_told_apart_by_id_where_the_index_lies(index: Json) -> None:
    assert content(
        call('{"x"', "a", id="call_1", **index),
        call('{"y"', "b", id="call_2", **index),
        call(":1}", id="call_1", **index),
        call(":2}", id="call_2", **index),
    ) == [tool("call_1", "a", {"x": 1}), tool("call_2", "b", {"y": 2})]


@pytest.mark.parametrize("index", [{"index": 0}, {}], ids=["always index 0", "no index"])
def test_whole_calls_without_an_id_are_told_apart_by_their_ends(index: Json) -> None:
    assert content(call('{"x":1}', "a", **index), call('{"x":2}', "a", **index)) == [
        tool("toolu_01minted1", "a", {"x": 1}),
        tool("toolu_01minted2", "a", {"x": 2}),
    ]


def test_fragments_without_index_and_id_belong_to_the_latest_call() -> None:
    assert content(call("", "a", id="call_1"), call('{"x"'), call(":1}")) == [tool("call_1", "a", {"x": 1})]


def test_two_calls_of_one_id_get_an_id_each() -> None:
    assert content(call("{}", "a", index=0, id="same"), call("{}", "b", index=1, id="same")) == [
        tool("same", "a", {}),
        tool("toolu_01minted1", "b", {}),
    ]


def test_a_whole_call_sent_again_is_told_once() -> None:
    again = call('{"x":1}', "a", index=0, id="call_1")
    assert content(again, again) == [tool("call_1", "a", {"x": 1})]


@pytest.mark.parametrize("bad", ["call:1", "call 1", "", "a\n", "näm"])
def test_an_id_that_clients_could_not_send_back_is_replaced(bad: str) -> None:
    assert content(call("{}", "a", index=0, id=bad)) == [tool("toolu_01minted1", "a", {})]


def test_a_call_opens_only_when_its_name_is_known() -> None:
    reader = opened()
    reader.feed(delta(ROLE))
    assert reader.feed(call('{"x":', index=0, id="call_1")) == b""
    events = stream_grammar.frames(reader.feed(call("1}", "a", index=0)))
    assert [event["type"] for event in events] == ["content_block_start", "content_block_delta"]
    assert events[1]["delta"]["partial_json"] == '{"x":1}'


def test_an_id_that_comes_after_the_name_is_waited_for() -> None:
    assert content(call(None, "a", index=0), call("{}", index=0, id="call_1")) == [tool("call_1", "a", {})]


def test_a_name_told_again_is_not_told_twice() -> None:
    fragments = ['{"x', '":', "1}", ""]
    stream = [call(fragment, "look", index=0, id="call_1") for fragment in fragments]
    assert content(*stream) == [tool("call_1", "look", {"x": 1})]


def test_the_caller_sees_its_own_names_of_tools() -> None:
    names = {"short": "a_name_of_more_than_sixty_four_characters"}
    assert content(call("{}", "short", index=0, id="c"), tool_names=names) == [
        tool("c", "a_name_of_more_than_sixty_four_characters", {})
    ]


def test_a_function_call_of_old_is_a_tool_call() -> None:
    told = message(
        delta({"function_call": {"name": "a", "arguments": ""}}),
        delta({"function_call": {"arguments": "{}"}}),
        finish("function_call"),
        DONE,
    )
    assert (told["content"], told["stop_reason"]) == ([tool("toolu_01minted1", "a", {})], "tool_use")


def test_text_amid_a_call_waits_for_its_end() -> None:
    assert content(
        call('{"x"', "a", index=0, id="call_1"),
        text("mean"),
        delta({"reasoning": "hm"}),
        text("while"),
        call(":1}", index=0),
    ) == [
        tool("call_1", "a", {"x": 1}),
        {"type": "text", "text": "mean"},
        {"type": "thinking", "thinking": "hm", "signature": ""},
        {"type": "text", "text": "while"},
    ]


def test_what_waits_goes_out_with_the_fragment_that_ends_the_call() -> None:
    reader = opened()
    reader.feed(call('{"x"', "a", index=0, id="call_1") + text("mean") + text("while"))
    assert stream_grammar.text_of(stream_grammar.frames(reader.feed(call(":1}", index=0)))) == "meanwhile"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("", {}),
        (" \n", {}),
        ("null", {}),
        ('""', {}),
        (' {"a":1} ', {"a": 1}),
        ('"{\\"a\\":1}"', {"a": 1}),
        ('{"a":{"b":["x"', {"a": {"b": ["x"]}}),
        ('{"a":"}"', {"a": "}"}),
    ],
)
def test_arguments_that_are_nearly_an_object_become_one(arguments: str, told: Json) -> None:
    assert content(call(arguments, "a", index=0, id="c")) == [tool("c", "a", told)]


def test_arguments_sent_as_an_object_are_taken_as_one() -> None:
    fragment = {"index": 0, "id": "c", "function": {"name": "a", "arguments": {"x": "é"}}}
    assert content(delta({"tool_calls": [fragment]})) == [tool("c", "a", {"x": "é"})]


@pytest.mark.parametrize(
    "arguments", ["nonsense", "[1]", '{"a":1', '{"a":}', '{"a" 1}', '{"a":"cut of', '{"a":1}}', "7"]
)
def test_arguments_that_are_no_object_end_the_stream_in_an_error(arguments: str) -> None:
    told = error(call(arguments, "look", index=0, id="c"), finish("tool_calls"), DONE)
    assert told == ("api_error", "the arguments of the call to 'look' are not a JSON object")


WHOLE = '{"path":"a\\\\b","n":[true,null,{"x":"y"}],"z":1.5}'


@pytest.mark.parametrize("cut", range(1, len(WHOLE)))
def test_arguments_cut_off_at_the_maximum_are_finished_and_say_so(cut: int) -> None:
    told = message(call(WHOLE[:cut], "a", index=0, id="c"), finish("length"), DONE)
    assert (told["stop_reason"], type(told["content"][0]["input"])) == ("max_tokens", dict)


def test_a_call_without_a_name_ends_the_stream_in_an_error() -> None:
    assert error(text("a"), call("{}", index=0, id="c"), finish(), DONE)[1] == "a tool call without a name"


def test_arguments_after_the_end_of_the_arguments_end_the_stream_in_an_error() -> None:
    one, two = call("{}", "a", index=0, id="x"), call("{}", "b", index=1, id="y")
    told = error(one, two, call('{"late":1}', index=0), finish(), DONE)
    assert told == ("api_error", "the call to 'a' goes on after its arguments were whole")


def test_a_call_of_nothing_is_no_call() -> None:
    told = message(text("a"), delta({"tool_calls": [{"index": 0}]}), finish(), DONE)
    assert (len(told["content"]), told["stop_reason"]) == (1, "end_turn")


# Stop reasons


@pytest.mark.parametrize(
    ("reason", "told"),
    [("stop", "end_turn"), ("length", "max_tokens"), ("content_filter", "refusal"), ("eos", "end_turn")],
)
def test_the_finish_reason_becomes_the_stop_reason(reason: str, told: str) -> None:
    assert message(text("a"), finish(reason), DONE)["stop_reason"] == told


@pytest.mark.parametrize("reason", ["stop", "tool_calls", "function_call", "whatever"])
def test_with_a_tool_call_any_ordinary_finish_is_tool_use(reason: str) -> None:
    assert message(call("{}", "a", index=0, id="c"), finish(reason), DONE)["stop_reason"] == "tool_use"


def test_what_is_not_understood_is_noted_under_its_own_name() -> None:
    strange = delta({"content": "a", "audio": {"id": 1}, "nothing": None})
    reader, _ = translated(strange, strange, frame({"type": "ping"}), finish("eos"), DONE)
    assert reader.unknown == [("delta", "audio"), ("frame", "ping"), ("finish_reason", "eos")]


def test_a_second_choice_is_left_out_and_noted() -> None:
    other = frame({"choices": [{"index": 1, "delta": {"content": "other"}}]})
    reader, events = translated(text("a"), other, finish(), DONE)
    assert json.loads(message_of(events))["content"] == [{"type": "text", "text": "a"}]
    assert reader.unknown == [("choice", "1")]


# Usage


@pytest.mark.parametrize(
    "stream",
    [
        (usage(), text("a"), finish(), DONE),
        (text("a"), usage(), finish(), DONE),
        (text("a"), finish(), usage(), DONE),
        (text("a"), finish(), usage()),
        (text("a"), delta({}, usage=USAGE), finish(), DONE),
        (
            delta({"content": "a"}, usage={"prompt_tokens": 20, "completion_tokens": 1}),
            finish(),
            usage(),
            DONE,
        ),
        (text("a"), usage(), delta({}, usage=None), finish(), DONE),
        (delta({"content": "a"}, usage=None), finish(), frame({"usage": USAGE}), DONE),
    ],
    ids=["first", "before", "after", "at EOF", "with choices", "repeated", "then null", "no choices"],
)
def test_usage_is_told_once_and_whole_wherever_it_comes(stream: tuple[bytes, ...]) -> None:
    reader, events = translated(*stream)
    deltas = [event for event in stream_grammar.read(events) if event["type"] == "message_delta"]
    assert [event["usage"] for event in deltas] == [
        {
            "input_tokens": 20,
            "output_tokens": 7,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
        }
    ]
    assert not reader.estimated


def test_cached_and_reasoning_tokens_are_told_apart() -> None:
    told = {
        **USAGE,
        "prompt_tokens_details": {"cached_tokens": 15},
        "completion_tokens_details": {"reasoning_tokens": 3},
    }
    assert message(text("a"), finish(), usage(told), DONE)["usage"] == {
        "input_tokens": 5,
        "output_tokens": 7,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 15,
        "output_tokens_details": {"thinking_tokens": 3},
    }


def test_without_usage_an_estimate_is_told_and_marked() -> None:
    reader, _ = translated(text("a" * 9), finish(), DONE)
    assert (reader.usage.input_tokens, reader.usage.output_tokens, reader.estimated) == (12, 3, True)


def test_negative_usage_is_never_told() -> None:
    told = message(text("a"), finish(), usage({"prompt_tokens": -5, "completion_tokens": -1}), DONE)["usage"]
    assert (told["input_tokens"], told["output_tokens"]) == (12, 0)


# The end


@pytest.mark.parametrize(
    "stream",
    [
        (text("a"), finish(), DONE),
        (text("a"), finish()),
        (text("a"), DONE),
        (text("a"), finish(), b"data: [DONE]"),
        (text("a"), finish(), b'data: {"cut'),
        (text("a"), finish(), DONE, text("more"), b"garbage\n\n"),
        (text("a"), finish().rstrip(b"\n")),
    ],
    ids=["proper", "no DONE", "no finish", "no blank line", "half a frame", "after DONE", "finish unended"],
)
def test_a_whole_answer_ends_properly_however_the_stream_does(stream: tuple[bytes, ...]) -> None:
    told = message(*stream)
    assert (told["content"], told["stop_reason"]) == ([{"type": "text", "text": "a"}], "end_turn")


@pytest.mark.parametrize("stream", [(text("a"),), (text("a"), b'data: {"cut'), (text("a"), b": bye\n\n")])
def test_a_stream_that_breaks_off_ends_in_an_error(stream: tuple[bytes, ...]) -> None:
    assert error(*stream)[0] == "api_error"


def test_a_call_that_breaks_off_ends_in_an_error() -> None:
    assert error(call('{"a', "look", index=0, id="c"))[0] == "api_error"


def test_the_end_comes_only_with_the_end() -> None:
    reader = opened()
    reader.feed(text("a"))
    assert (reader.feed(finish()), reader.state) == (b"", State.OPEN)
    assert stream_grammar.frames(reader.feed(DONE))[-1]["type"] == "message_stop"
    assert (reader.state, reader.feed(text("more")), reader.finish()) == (State.DONE, b"", b"")


# Errors


ERRORS = [
    ({"error": {"message": "slow", "type": "rate_limit_error", "code": None}}, "rate_limit_error", "slow"),
    ({"error": {"message": "no", "type": "x", "code": 400}, "choices": []}, "invalid_request_error", "no"),
    ({"error": {"message": "pay", "code": "insufficient_quota"}}, "overloaded_error", "pay"),
    ({"error": {"message": "key", "code": 401}}, "api_error", "key"),
    ({"error": {"message": "busy", "code": "503"}}, "overloaded_error", "busy"),
    ({"error": "boom"}, "api_error", "boom"),
    ({"object": "error", "message": "bad", "code": 400}, "invalid_request_error", "bad"),
]


@pytest.mark.parametrize(("body", "error_type", "words"), ERRORS)
def test_an_error_before_content_is_raised(body: Json, error_type: str, words: str) -> None:
    reader = opened()
    with pytest.raises(FailedStream) as raised:
        reader.feed(delta(ROLE) + frame(body))
    assert (raised.value.type, raised.value.message, reader.state) == (error_type, words, State.FAILED)


@pytest.mark.parametrize(("body", "error_type", "words"), ERRORS)
def test_an_error_after_content_is_an_event(body: Json, error_type: str, words: str) -> None:
    assert error(text("a"), frame(body)) == (error_type, words)


def test_an_error_event_names_the_request() -> None:
    _, events = translated(text("a"), frame({"error": "boom"}), request_id="req_7")
    assert stream_grammar.read(events, may_fail=True)[-1]["request_id"] == "req_7"


def test_after_the_start_is_out_an_error_is_an_event() -> None:
    reader = opened()
    events = reader.feed(delta(ROLE)) + reader.feed(frame({"error": "boom"}))
    assert stream_grammar.read(events, may_fail=True)[-1]["type"] == "error"


def test_an_answer_broken_off_by_its_finish_reason_is_an_error() -> None:
    assert error(text("a"), finish("error"), DONE)[0] == "api_error"


GARBAGE = {
    "HTML": b"<html><body>502 Bad Gateway</body></html>\n\n",
    "truncated JSON": b'data: {"choices": [{"delta"\n\n',
    "no object": b"data: [1, 2]\n\n",
    "another shape": b'data: {"choices": "none"}\n\n',
    "bytes": b"data: \xff\xfe\n\n",
    "gzip": b"\x1f\x8b\x08\x00\x00\n\n",
    "deep": b"data: " + b'{"choices":' * 1 + b"[" * 100_000 + b"\n\n",
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
def test_garbage_before_content_is_raised(garbage: bytes) -> None:
    with pytest.raises(FailedStream) as raised:
        opened().feed(garbage)
    assert raised.value.type == "api_error"


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
def test_garbage_after_content_ends_the_stream_in_an_error(garbage: bytes) -> None:
    assert error(text("a"), garbage)[0] == "api_error"


def test_an_error_that_is_no_stream_keeps_its_words() -> None:
    reader = opened()
    reader.feed(b'{"error": {"message": "no such model", "code": 404}}')
    with pytest.raises(FailedStream) as raised:
        reader.finish()
    assert (raised.value.type, raised.value.message) == ("not_found_error", "no such model")


@pytest.mark.parametrize("stream", [b"", b": hello\n\n", DONE, frame({"type": "message_start"})])
def test_a_stream_without_an_answer_is_raised(stream: bytes) -> None:
    reader = opened()
    with pytest.raises(FailedStream):
        reader.feed(stream) + reader.finish()


def test_a_frame_without_end_is_refused_before_it_fills_the_memory() -> None:
    reader = opened()
    reader.feed(text("a"))
    piece, events = b"x" * (8 * 1024 * 1024), b""
    for _ in range(6):
        events += reader.feed(piece)
    assert stream_grammar.frames(events)[-1]["error"]["message"] == "a frame of more than 33554432 bytes"


def test_endless_arguments_are_refused_before_they_fill_the_memory() -> None:
    reader, events = opened(), b""
    events = reader.feed(call('{"a":"', "look", index=0, id="c"))
    piece = call("x" * (8 * 1024 * 1024), index=0)
    for _ in range(4):
        events = reader.feed(piece)
    assert (reader.state, stream_grammar.frames(events)[-1]["type"]) == (State.FAILED, "error")


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


def test_an_event_of_ten_megabytes_goes_through() -> None:
    long = "x" * (10 * 1024 * 1024)
    assert message(text(long), finish(), DONE)["content"] == [{"type": "text", "text": long}]


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


# Any split, any interleaving


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
