"""Anthropic's events told as Responses events, and read by OpenAI's SDK."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from gateway.protocol.anthropic.fold import message_of
from gateway.protocol.body import parse
from gateway.protocol.responses.request import responses_request
from gateway.protocol.responses.response import response_object
from gateway.protocol.responses.stream import ResponsesEvents
from tests.protocol.responses.test_response import TOOLS
from tests.protocol.responses.writing import ANSWERED, events, frame, request, streamed, told

HELLO = {"type": "text", "text": "Hello there."}
THOUGHT = {"type": "thinking", "thinking": "Hm, well.", "signature": "c2ln"}
READ = {"type": "tool_use", "id": "toolu_1", "name": "read", "input": {"path": "a"}}
PATCH = {"type": "tool_use", "id": "toolu_2", "name": "apply_patch", "input": {"input": "*** Begin"}}

_event = TypeAdapter(ResponseStreamEvent)


def stream(
    *content: dict[str, Any], stop_reason: str = "end_turn", stop_details: Any = None, **fields: Any
) -> bytes:
    anthropic = streamed(*content, stop_reason=stop_reason, stop_details=stop_details)
    return events(tools=TOOLS, **fields).feed(anthropic)


def kinds(out: bytes) -> list[str]:
    return [each["type"].removeprefix("response.") for each in told(out)]


def test_a_text_is_told_step_by_step() -> None:
    out = told(stream(HELLO))

    assert [(each.pop("type"), each.pop("sequence_number")) for each in out[2:-1]] == [
        ("response.output_item.added", 2),
        ("response.content_part.added", 3),
        ("response.output_text.delta", 4),
        ("response.output_text.delta", 5),
        ("response.output_text.delta", 6),
        ("response.output_text.done", 7),
        ("response.content_part.done", 8),
        ("response.output_item.done", 9),
    ]
    place = {"item_id": "msg_1_0", "output_index": 0, "content_index": 0}
    part = {"type": "output_text", "text": "Hello there.", "annotations": [], "logprobs": []}
    item = {
        "type": "message",
        "id": "msg_1_0",
        "role": "assistant",
        "status": "completed",
        "content": [part],
    }
    assert out[2:-1] == [
        {"output_index": 0, "item": item | {"status": "in_progress", "content": []}},
        {**place, "part": part | {"text": ""}},
        {**place, "delta": "Hello", "logprobs": []},
        {**place, "delta": " ther", "logprobs": []},
        {**place, "delta": "e.", "logprobs": []},
        {**place, "text": "Hello there.", "logprobs": []},
        {**place, "part": part},
        {"output_index": 0, "item": item},
    ]


def test_the_response_is_told_at_its_beginning_and_at_its_end() -> None:
    out = told(stream(HELLO))

    begun, going, ended = out[0], out[1], out[-1]
    assert [each["type"] for each in (begun, going, ended)] == [
        "response.created",
        "response.in_progress",
        "response.completed",
    ]
    assert begun["response"] == going["response"]
    assert (begun["response"]["status"], begun["response"]["output"], begun["response"]["usage"]) == (
        "in_progress",
        [],
        None,
    )
    assert ended["response"]["usage"]["input_tokens"] == 27
    assert ended["response"]["usage"]["output_tokens"] == 7


def test_settings_that_were_written_over_many_lines_are_repeated_on_one() -> None:
    body = json.dumps({"model": "gpt-x", "input": "Hello", "tools": TOOLS, "metadata": {"a": "b"}}, indent=2)
    asked = responses_request(parse(body.encode()))

    out = ResponsesEvents(asked, **ANSWERED).feed(streamed(HELLO))

    assert told(out)[0]["response"]["tools"] == TOOLS[:3]
    assert all(line.startswith((b"event: ", b"data: ", b": ")) for line in out.split(b"\n") if line)


def test_a_thought_is_told_as_a_summary() -> None:
    out = stream(THOUGHT)

    assert kinds(out)[2:-1] == [
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
    ]
    item = told(out)[-2]["item"]
    assert (item["summary"][0]["text"], item["encrypted_content"][:4]) == ("Hm, well.", "gw1.")


def test_a_thought_that_is_not_shown_has_no_summary() -> None:
    hidden = kinds(stream(THOUGHT | {"thinking": ""}))
    redacted = kinds(stream({"type": "redacted_thinking", "data": "b3Bh"}))

    assert hidden[2:-1] == redacted[2:-1] == ["output_item.added", "output_item.done"]


def test_a_call_is_told_as_it_comes() -> None:
    out = told(stream(READ, stop_reason="tool_use"))

    assert [(each["type"], each.get("delta")) for each in out[2:-3]] == [
        ("response.output_item.added", None),
        ("response.function_call_arguments.delta", '{"pat'),
        ("response.function_call_arguments.delta", 'h":"a'),
        ("response.function_call_arguments.delta", '"}'),
    ]
    assert (out[-3]["name"], out[-3]["arguments"]) == ("read", '{"path":"a"}')
    assert out[-2]["item"] == out[-1]["response"]["output"][0]


def test_a_call_without_arguments_has_an_empty_object() -> None:
    out = told(stream(READ | {"input": {}}))

    assert [each.get("delta") for each in out if "delta" in each] == ["{}"]


def test_the_text_of_a_custom_tool_is_told_when_it_is_whole() -> None:
    out = told(stream(PATCH, stop_reason="tool_use"))

    assert [(each["type"], each.get("delta"), each.get("input")) for each in out[3:-2]] == [
        ("response.custom_tool_call_input.delta", "*** Begin", None),
        ("response.custom_tool_call_input.done", None, "*** Begin"),
    ]
    assert out[-2]["item"]["type"] == "custom_tool_call"


def test_a_call_that_was_cut_off_is_never_told_as_done() -> None:
    """Codex runs a call whose `output_item.done` has come, whatever its status."""
    out = told(stream(READ, PATCH, stop_reason="max_tokens"))

    done = [each["item"]["name"] for each in out if each["type"] == "response.output_item.done"]
    assert done == ["read"]
    assert out[-1]["type"] == "response.incomplete"
    assert out[-1]["response"]["incomplete_details"] == {"reason": "max_output_tokens"}
    assert [item["status"] for item in out[-1]["response"]["output"]] == ["completed", "incomplete"]


def test_a_text_that_was_cut_off_says_so() -> None:
    out = told(stream(HELLO, stop_reason="max_tokens"))

    assert out[-2]["item"]["status"] == "incomplete"


def test_a_refusal_is_told_as_a_message_of_its_own() -> None:
    out = stream(HELLO, stop_reason="refusal", stop_details={"type": "refusal", "explanation": "Not this."})

    assert kinds(out)[-7:] == [
        "output_item.added",
        "content_part.added",
        "refusal.delta",
        "refusal.done",
        "content_part.done",
        "output_item.done",
        "incomplete",
    ]
    assert told(out)[-1]["response"]["output"][1] == {
        "type": "message",
        "id": "msg_1_1",
        "status": "completed",
        "content": [{"type": "refusal", "refusal": "Not this."}],
        "role": "assistant",
    }


def test_a_refusal_that_the_answer_ends_with_is_not_told_twice() -> None:
    out = stream(HELLO, stop_reason="refusal", stop_details={"type": "refusal", "explanation": "there."})

    assert [item["content"][0]["type"] for item in told(out)[-1]["response"]["output"]] == ["output_text"]


def test_a_ping_is_a_comment() -> None:
    assert events().feed(frame(type="ping")) == b": ping\n\n"


@pytest.mark.parametrize(
    ("error_type", "words", "code"),
    [
        ("rate_limit_error", "Slow down.", "rate_limit_exceeded"),
        ("overloaded_error", "Overloaded.", "server_error"),
        ("api_error", "Broken.", "server_error"),
        ("some_new_error", "New.", "server_error"),
        ("invalid_request_error", "Bad image.", "invalid_prompt"),
        ("invalid_request_error", "prompt is too long: 9 tokens > 8 maximum", "context_length_exceeded"),
    ],
)
def test_an_error_ends_in_a_failed_response(error_type: str, words: str, code: str) -> None:
    writer = events()
    writer.feed(streamed(HELLO).partition(b"event: content_block_stop")[0])

    out = told(writer.feed(frame(type="error", error={"type": error_type, "message": words})))

    [failed] = out
    assert failed["type"] == "response.failed"
    assert failed["response"]["status"] == "failed"
    assert failed["response"]["error"] == {"code": code, "message": words}
    assert failed["response"]["output"] == []
    assert (writer.ended, writer.feed(streamed(HELLO)), writer.error("api_error", "x")) == (True, b"", b"")


def test_an_error_of_the_gateways_own_needs_no_beginning() -> None:
    out = events().error("api_error", "The provider is gone.")

    assert kinds(out) == ["created", "in_progress", "failed"]


def test_what_is_whole_before_an_error_stays_told() -> None:
    writer = events(tools=TOOLS)
    half = streamed(HELLO, READ).partition(b"event: message_delta")[0]

    out = told(writer.feed(half) + writer.error("api_error", "The provider is gone."))

    assert [item["type"] for item in out[-1]["response"]["output"]] == ["message"]
    assert [each["type"] for each in out].count("response.output_item.done") == 1


def test_garbage_ends_in_a_failed_response() -> None:
    out = told(events().feed(b"event: message_start\ndata: {cut\n\n"))

    assert out[-1]["response"]["error"]["code"] == "server_error"


_words = st.text(st.characters(codec="utf-8"), max_size=12)
_blocks = st.one_of(
    st.builds(lambda text: {"type": "text", "text": text}, _words),
    st.builds(
        lambda text, signature: {"type": "thinking", "thinking": text, "signature": signature},
        _words,
        st.sampled_from(["", "c2ln"]),
    ),
    st.just({"type": "redacted_thinking", "data": "b3Bh"}),
    st.builds(
        lambda name, given: {"type": "tool_use", "id": "toolu_1", "name": name, "input": given},
        st.sampled_from(["read", "apply_patch", "agents__spawn"]),
        st.dictionaries(_words, _words | st.integers(-99, 99), max_size=2),
    ),
    st.builds(
        lambda text: {"type": "tool_use", "id": "toolu_1", "name": "apply_patch", "input": {"input": text}},
        _words,
    ),
)
_stop_reasons = st.sampled_from(["end_turn", "tool_use", "max_tokens", "refusal"])
_stop_details = st.sampled_from([None, {"type": "refusal", "explanation": "No."}, {"type": "refusal"}])


@example(
    [{"type": "tool_use", "id": "toolu_1", "name": "apply_patch", "input": {"input": "{"}}],
    "tool_use",
    None,
    9,
)
@settings(max_examples=150, deadline=None)
@given(st.lists(_blocks, max_size=4), _stop_reasons, _stop_details, st.integers(1, 9))
def test_a_streamed_response_ends_as_the_whole_one_is(
    content: list[dict[str, Any]], stop_reason: str, stop_details: Any, piece: int
) -> None:
    anthropic = streamed(*content, stop_reason=stop_reason, stop_details=stop_details, piece=piece)

    out = told(events(tools=TOOLS).feed(anthropic))

    whole = response_object(message_of(anthropic), request=request(tools=TOOLS), **ANSWERED)
    assert _comparable(out[-1]["response"]) == _comparable(json.loads(whole))
    assert [each["sequence_number"] for each in out] == list(range(len(out)))


def _comparable(response: dict[str, Any]) -> dict[str, Any]:
    """Arguments are JSON, which may be written in more than one way; the input of a custom tool is any text."""
    for item in response["output"]:
        for name in {"arguments", "input"} & set(item):
            item[name] = _parsed(item[name])
    return response


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


@settings(max_examples=60, deadline=None)
@given(st.lists(_blocks, max_size=3), st.lists(st.integers(0, 3000), max_size=4))
def test_the_events_are_the_same_however_the_frames_come(
    content: list[dict[str, Any]], cuts: list[int]
) -> None:
    anthropic = streamed(*content)
    places = [0, *sorted(cuts), len(anthropic)]
    pieces = [anthropic[start:end] for start, end in itertools.pairwise(places)]
    writer = events(tools=TOOLS)

    assert b"".join(map(writer.feed, pieces)) == events(tools=TOOLS).feed(anthropic)


@settings(max_examples=60, deadline=None)
@given(st.lists(_blocks, max_size=4), _stop_reasons, _stop_details)
def test_the_sdk_knows_every_event(
    content: list[dict[str, Any]], stop_reason: str, stop_details: Any
) -> None:
    for each in told(stream(*content, stop_reason=stop_reason, stop_details=stop_details)):
        read = _event.validate_python(each, strict=True)
        assert read.type == each["type"]


@pytest.fixture
def client() -> Iterator[openai.OpenAI]:
    """OpenAI's SDK on a wire that carries what is written here."""

    def answer(asked: httpx.Request) -> httpx.Response:
        body = json.loads(asked.content)
        out = stream(THOUGHT, HELLO, READ, PATCH, stop_reason="tool_use", input=body["input"])
        return httpx.Response(200, content=out, headers={"content-type": "text/event-stream"})

    with httpx.Client(transport=httpx.MockTransport(answer)) as http:
        yield openai.OpenAI(api_key="sk-x", base_url="http://gateway.test/v1", http_client=http)


def test_the_sdk_folds_the_events_into_the_response(client: openai.OpenAI) -> None:
    with client.responses.stream(model="gpt-x", input="Hello") as told_events:
        text = "".join(each.delta for each in told_events if each.type == "response.output_text.delta")
        response = told_events.get_final_response()

    assert (text, response.output_text) == ("Hello there.", "Hello there.")
    assert [item.type for item in response.output] == [
        "reasoning",
        "message",
        "function_call",
        "custom_tool_call",
    ]


def test_the_sdk_iterates_over_the_events(client: openai.OpenAI) -> None:
    told_events = list(client.responses.create(model="gpt-x", input="Hello", stream=True))

    assert (told_events[0].type, told_events[-1].type) == ("response.created", "response.completed")
