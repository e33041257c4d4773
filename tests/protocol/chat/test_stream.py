"""Anthropic events told again as chunks."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from typing import Any

import httpx
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.protocol.anthropic.fold import message_of
from gateway.protocol.anthropic.relay import MalformedStream
from gateway.protocol.chat.completion import chat_completion
from gateway.protocol.chat.stream import ChatChunks
from gateway.protocol.sse import frame
from tests.protocol.chat.reading import folded, frames

START = {
    "type": "message_start",
    "message": {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 5, "cache_read_input_tokens": 3, "output_tokens": 1},
    },
}
STOP = {"type": "message_stop"}
PING = {"type": "ping"}
ROLE = {"role": "assistant", "content": ""}


def begin(index: int, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def use(index: int, given: Any = None, name: str = "read") -> dict[str, Any]:
    return begin(index, type="tool_use", id=f"toolu_{index}", name=name, input=given or {})


def delta(index: int, **fields: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": fields}


def text(words: str, index: int = 0) -> dict[str, Any]:
    return delta(index, type="text_delta", text=words)


def arguments(fragment: str, index: int = 0) -> dict[str, Any]:
    return delta(index, type="input_json_delta", partial_json=fragment)


def end(index: int = 0) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def close(reason: str = "end_turn", **usage: Any) -> dict[str, Any]:
    return {
        "type": "message_delta",
        "delta": {"stop_reason": reason, "stop_sequence": None},
        "usage": {"output_tokens": 9} | usage,
    }


def stream(events: Iterable[dict[str, Any]]) -> bytes:
    return b"".join(frame(event["type"], json.dumps(event).encode()) for event in events)


def told(*events: dict[str, Any], include_usage: bool = False, functions: bool = False) -> list[Any]:
    """The frames; of an ordinary chunk only its delta."""
    chunks = ChatChunks("chatcmpl-1", "house", 17, include_usage, functions)
    return [_short(each) for each in frames(chunks.feed(stream(events)))]


def _short(told: Any) -> Any:
    if not isinstance(told, dict) or not told.get("choices"):
        return told
    [choice] = told["choices"]
    return choice["delta"] or choice["finish_reason"]


def test_each_chunk_has_the_same_head() -> None:
    chunks = ChatChunks('chat"1', "house/é", 17, include_usage=False)
    choice = {"index": 0, "delta": {"content": "Hi"}, "logprobs": None, "finish_reason": None}
    head = {"id": 'chat"1', "object": "chat.completion.chunk", "created": 17, "model": "house/é"}
    assert frames(chunks.feed(stream([text("Hi")]))) == [head | {"choices": [choice]}]


def test_usage_is_null_until_the_end_where_it_was_asked_for() -> None:
    chunks = ChatChunks("chatcmpl-1", "house", 17, include_usage=True)
    whole = frames(chunks.feed(stream([START, text("Hi"), close(), STOP])))
    assert [each["usage"] for each in whole[:3]] == [None, None, None]
    assert (whole[3]["choices"], whole[3]["usage"]) == (
        [],
        {
            "prompt_tokens": 8,
            "completion_tokens": 9,
            "total_tokens": 17,
            "prompt_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
    )
    assert whole[4:] == ["[DONE]"]


def test_later_usage_and_reason_replace_earlier_ones() -> None:
    events = [START, close("pause_turn"), close("max_tokens", input_tokens=50, output_tokens=20), STOP]
    *_, finish, usage, _ = told(*events, include_usage=True)
    assert finish == "length"
    assert (usage["usage"]["prompt_tokens"], usage["usage"]["completion_tokens"]) == (53, 20)


def test_calls_are_counted_by_themselves() -> None:
    events = [START, begin(0, type="text", text=""), text("Hi"), end(0), use(1), arguments('{"a"', 1)]
    events += [arguments("", 1), arguments(": 1}", 1), end(1), use(2, name="now"), end(2)]
    events += [close("tool_use"), STOP]
    assert told(*events) == [
        ROLE,
        {"content": "Hi"},
        {
            "tool_calls": [
                {
                    "index": 0,
                    "id": "toolu_1",
                    "type": "function",
                    "function": {"name": "read", "arguments": ""},
                }
            ]
        },
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"a"'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": ": 1}"}}]},
        {
            "tool_calls": [
                {
                    "index": 1,
                    "id": "toolu_2",
                    "type": "function",
                    "function": {"name": "now", "arguments": ""},
                }
            ]
        },
        {"tool_calls": [{"index": 1, "function": {"arguments": "{}"}}]},
        "tool_calls",
        "[DONE]",
    ]


def test_what_a_block_begins_with_is_told_too() -> None:
    events = [
        begin(0, type="thinking", thinking="Hm", signature=""),
        end(0),
        begin(1, type="text", text="Hi"),
    ]
    assert told(*events, end(1), use(2, {"a": 1}), end(2)) == [
        {"reasoning_content": "Hm"},
        {"content": "Hi"},
        {
            "tool_calls": [
                {
                    "index": 0,
                    "id": "toolu_2",
                    "type": "function",
                    "function": {"name": "read", "arguments": ""},
                }
            ]
        },
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"a": 1}'}}]},
    ]


def test_signatures_and_what_anthropic_does_itself_are_passed_over() -> None:
    assert (
        told(
            delta(0, type="signature_delta", signature="c2ln"),
            begin(0, type="redacted_thinking", data="eA=="),
            begin(1, type="server_tool_use", id="srvtoolu_1", name="web_search", input={}),
            arguments('{"query": "x"}', 1),
            end(1),
            begin(2, type="web_search_tool_result", tool_use_id="srvtoolu_1", content=[{"text": 5}]),
            begin(3, type="something_new", id=5, text=["?"]),
            delta(3, type="something_new_delta", news=True),
            {"type": "something_new"},
        )
        == []
    )


def test_a_ping_is_a_comment() -> None:
    assert told(PING) == [": ping"]


def test_a_client_of_the_old_kind_gets_one_function_call() -> None:
    events = [
        START,
        use(0),
        arguments('{"a": 1}'),
        end(0),
        use(1),
        arguments("{}", 1),
        end(1),
        close("tool_use"),
        STOP,
    ]
    assert told(*events, functions=True) == [
        ROLE,
        {"function_call": {"name": "read", "arguments": ""}},
        {"function_call": {"arguments": '{"a": 1}'}},
        "function_call",
        "[DONE]",
    ]


def test_nothing_follows_an_error() -> None:
    error = {"type": "error", "error": {"type": "timeout_error", "message": "Slow"}, "request_id": "req_1"}
    assert told(START, error, text("Hi"), STOP) == [
        ROLE,
        {"error": {"message": "Slow", "type": "server_error", "param": None, "code": None}},
    ]


def test_nothing_follows_the_end() -> None:
    chunks = ChatChunks("chatcmpl-1", "house", 17, include_usage=False)
    chunks.feed(stream([START, close(), STOP]))
    assert (chunks.ended, chunks.feed(stream([PING, text("Hi")]))) == (True, b"")


@pytest.mark.parametrize(
    "garbage", [b"data: {\n\n", b"data: []\n\n", b'data: {"type":"content_block_start"}\n\n']
)
def test_what_is_no_event_is_refused(garbage: bytes) -> None:
    with pytest.raises(MalformedStream):
        ChatChunks("chatcmpl-1", "house", 17, include_usage=False).feed(garbage)


# Whatever the answer

_words = st.text(st.characters(codec="utf-8"), max_size=12)
_objects = st.dictionaries(_words, _words | st.integers(-99, 99) | st.lists(st.booleans()), max_size=3)


@st.composite
def answers(draw: st.DrawFn) -> list[dict[str, Any]]:
    """The events of an answer: thoughts, texts, calls and things unknown, in any order."""
    events: list[dict[str, Any]] = [START]
    for index in range(draw(st.integers(0, 5))):
        kind = draw(st.sampled_from(["text", "thinking", "tool_use", "redacted_thinking", "server_tool_use"]))
        if kind.endswith("tool_use"):
            given = draw(st.sampled_from(["", json.dumps(draw(_objects))]))
            events.append(begin(index, type=kind, id=f"toolu_{index}", name=draw(_words), input={}))
            events += [arguments(piece, index) for piece in _cut(given, draw(st.integers(1, 9)))]
        elif kind == "redacted_thinking":
            events.append(begin(index, type=kind, data="eA=="))
        else:
            events.append(begin(index, type=kind, **{kind: ""}))
            events += [
                delta(index, type=f"{kind}_delta", **{kind: piece})
                for piece in draw(st.lists(_words, max_size=3))
            ]
        events += [end(index), *draw(st.sampled_from([[], [PING]]))]
    reason = draw(st.sampled_from(["end_turn", "tool_use", "max_tokens", "refusal", "pause_turn"]))
    return [*events, close(reason, output_tokens_details={"thinking_tokens": draw(st.integers(0, 9))}), STOP]


def _cut(whole: str, pieces: int) -> list[str]:
    return [whole[at : at + pieces] for at in range(0, len(whole), pieces)]


@settings(max_examples=100, deadline=None)
@given(answers(), st.booleans())
def test_an_answer_streamed_adds_up_to_the_same_answer_told_whole(
    events: list[Any], include_usage: bool
) -> None:
    provided = stream(events)
    chunks = ChatChunks("chatcmpl-1", "house", 17, include_usage)
    streamed = folded(chunks.feed(provided))
    body = chat_completion(message_of(provided), completion_id="chatcmpl-1", model="house", created=17)
    whole = json.loads(body)
    [choice] = whole["choices"]
    message = choice["message"]
    calls = [{"id": each["id"], **each["function"]} for each in message.get("tool_calls", [])]
    for each in [*calls, *streamed["message"]["tool_calls"]]:
        each["arguments"] = json.loads(each["arguments"])
    assert streamed == {
        "id": "chatcmpl-1",
        "created": 17,
        "model": "house",
        "finish_reason": choice["finish_reason"],
        "usage": whole["usage"] if include_usage else None,
        "message": {
            "role": "assistant",
            "content": message["content"] or "",
            "reasoning_content": message.get("reasoning_content", ""),
            "refusal": message["refusal"] or "",
            "tool_calls": calls,
        },
    }


@settings(max_examples=60, deadline=None)
@given(answers(), st.lists(st.integers(0, 3000), max_size=6))
def test_it_does_not_matter_how_the_events_are_cut(events: list[Any], cuts: list[int]) -> None:
    provided = stream(events)
    places = sorted({0, len(provided), *(cut % len(provided) for cut in cuts)})
    one, many = (ChatChunks("chatcmpl-1", "house", 17, include_usage=True) for _ in range(2))
    pieces = [provided[start:stop] for start, stop in itertools.pairwise(places)]
    assert b"".join(map(many.feed, pieces)) == one.feed(provided)


@settings(max_examples=10, deadline=None)
@given(answers())
def test_the_official_sdk_reads_every_chunk(events: list[Any]) -> None:
    told = ChatChunks("chatcmpl-1", "house", 17, include_usage=True).feed(stream(events))
    transport = httpx.MockTransport(
        lambda request: httpx.Response(200, content=told, headers={"content-type": "text/event-stream"})
    )
    with httpx.Client(transport=transport) as http:
        client = openai.OpenAI(api_key="k", base_url="http://gateway/v1", http_client=http, max_retries=0)
        with client.chat.completions.stream(
            model="house",
            messages=[{"role": "user", "content": "Hello"}],
            stream_options={"include_usage": True},
        ) as answer:
            for _ in answer:
                pass
            completion = answer.current_completion_snapshot
    expected = folded(told)
    said = completion.choices[0].message
    calls = [
        {"id": c.id, "name": c.function.name, "arguments": c.function.arguments}
        for c in said.tool_calls or []
    ]
    assert (said.content or "", calls) == (expected["message"]["content"], expected["message"]["tool_calls"])
    assert completion.choices[0].finish_reason == expected["finish_reason"]
    assert (
        completion.usage is not None and completion.usage.model_dump(exclude_none=True) == expected["usage"]
    )
