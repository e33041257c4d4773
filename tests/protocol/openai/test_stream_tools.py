"""Tool calls in a stream: fragments, interleaved and misnumbered as providers send them."""

from __future__ import annotations

import pytest

from tests import stream_grammar
from tests.protocol.openai.telling import (
    DONE,
    ROLE,
    Json,
    call,
    content,
    delta,
    error,
    finish,
    message,
    opened,
    text,
    tool,
)


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


@pytest.mark.parametrize("cut", range(1, 17))
def test_raw_control_characters_in_arguments_are_escaped_wherever_they_are_cut(cut: int) -> None:
    arguments = '{ "a":\n"x\ny\t\\n\x01"}'
    pieces = call(arguments[:cut], "a", index=0, id="c"), call(arguments[cut:], index=0)
    assert content(*pieces) == [tool("c", "a", {"a": "x\ny\t\n\x01"})]


@pytest.mark.parametrize(
    "arguments", ["nonsense", "[1]", '{"a":1', '{"a":}', '{"a" 1}', '{"a":"cut of', '{"a":1}}', "7"]
)
def test_arguments_that_are_no_object_end_the_stream_in_an_error(arguments: str) -> None:
    told = error(call(arguments, "look", index=0, id="c"), finish("tool_calls"), DONE)
    assert told == ("api_error", "The provider sent a tool call whose arguments are not a JSON object.")


WHOLE = '{"path":"a\\\\b","n":[true,null,{"x":"y"}],"z":1.5}'


@pytest.mark.parametrize("cut", range(1, len(WHOLE)))
def test_arguments_cut_off_at_the_maximum_are_finished_and_say_so(cut: int) -> None:
    told = message(call(WHOLE[:cut], "a", index=0, id="c"), finish("length"), DONE)
    assert (told["stop_reason"], type(told["content"][0]["input"])) == ("max_tokens", dict)


def test_a_call_without_a_name_ends_the_stream_in_an_error() -> None:
    assert (
        error(text("a"), call("{}", index=0, id="c"), finish(), DONE)[1]
        == "The provider sent a tool call without a name."
    )


def test_arguments_after_the_end_of_the_arguments_end_the_stream_in_an_error() -> None:
    one, two = call("{}", "a", index=0, id="x"), call("{}", "b", index=1, id="y")
    told = error(one, two, call('{"late":1}', index=0), finish(), DONE)
    assert told == ("api_error", "The provider went on with a tool call after its arguments were whole.")


def test_a_call_of_nothing_is_no_call() -> None:
    told = message(text("a"), delta({"tool_calls": [{"index": 0}]}), finish(), DONE)
    assert (len(told["content"]), told["stop_reason"]) == (1, "end_turn")
