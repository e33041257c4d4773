"""The simulator as a provider: a body in, an answer out."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import anthropic
import httpx2
import pytest

from gateway import simulator
from tests import stream_grammar

WEATHER = {
    "name": "get_weather",
    "description": "The weather of a city",
    "input_schema": {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
            "days": {"type": "integer", "minimum": 2},
            "note": {"type": "string"},
        },
        "required": ["city", "unit", "days"],
    },
}
HELLO = [{"role": "user", "content": "Hello there"}]


def test_the_same_request_gets_the_same_text_which_says_that_it_is_simulated_and_what_it_heard() -> None:
    first, second = ask(messages=HELLO), ask(messages=HELLO)

    assert (
        first["content"]
        == second["content"]
        == [
            {
                "type": "text",
                "text": 'This is a simulated reply: no model was asked. You wrote "Hello there".',
                "citations": None,
            }
        ]
    )
    assert first["stop_reason"] == "end_turn"


def test_an_agents_reminders_are_not_what_its_user_wrote() -> None:
    reminder = "<system-reminder>\nUse get_weather to learn of storms.\n</system-reminder>\n"
    blocks = [{"type": "text", "text": text} for text in (reminder, "Hello there")]

    answer = ask(messages=[{"role": "user", "content": blocks}], tools=[WEATHER])

    (said,) = answer["content"]
    assert said["text"].endswith('You wrote "Hello there".')


def test_the_answer_has_the_full_shape_of_a_message() -> None:
    message = ask(messages=HELLO, model="claude-haiku-4-5")

    assert message.pop("id").startswith("msg_01")
    message.pop("content")
    assert message == {
        "type": "message",
        "role": "assistant",
        "model": "claude-haiku-4-5",
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "stop_details": None,
        "container": None,
        "usage": {
            "input_tokens": 10,
            "output_tokens": 18,
            "output_tokens_details": {"thinking_tokens": 0},
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
            "server_tool_use": None,
            "service_tier": "standard",
            "inference_geo": "not_available",
        },
    }


def test_max_tokens_cuts_the_text_and_is_the_reason() -> None:
    message = ask(messages=HELLO, max_tokens=3)

    assert message["content"][0]["text"] == "This is a si"
    assert (message["stop_reason"], message["usage"]["output_tokens"]) == ("max_tokens", 3)


def test_zero_max_tokens_gives_no_output() -> None:
    message = ask(messages=HELLO, max_tokens=0, thinking={"type": "adaptive"})

    assert (message["content"], message["stop_reason"], message["usage"]["output_tokens"]) == (
        [],
        "max_tokens",
        0,
    )


def test_the_earliest_stop_sequence_ends_the_text_and_is_named() -> None:
    message = ask(messages=HELLO, stop_sequences=["wrote", "model", "never"])

    assert message["content"][0]["text"] == "This is a simulated reply: no "
    assert (message["stop_reason"], message["stop_sequence"]) == ("stop_sequence", "model")


def test_a_wanted_number_of_words_is_met() -> None:
    message = ask(messages=[{"role": "user", "content": "Write 200 words"}])

    assert len(message["content"][0]["text"].split()) == 200


@pytest.mark.parametrize(
    ("choice", "text"),
    [
        ({"type": "any"}, "How is it?"),
        ({"type": "tool", "name": "get_weather"}, "How is it?"),
        ({"type": "auto"}, "Please use get_weather for me"),
        (None, "Please call the `get_weather` tool"),
    ],
)
def test_a_demanded_tool_is_called_with_an_input_that_fits_its_schema(choice: Any, text: str) -> None:
    extra = {"tool_choice": choice} if choice else {}

    message = ask(messages=[{"role": "user", "content": text}], tools=[WEATHER], **extra)

    (call,) = message["content"]
    assert call.pop("id").startswith("toolu_01")
    assert call == {
        "type": "tool_use",
        "name": "get_weather",
        "input": {"city": "simulated city", "unit": "celsius", "days": 2},
    }
    assert message["stop_reason"] == "tool_use"


@pytest.mark.parametrize("choice", [{"type": "auto"}, {"type": "none"}, None])
def test_a_tool_that_nobody_asked_for_is_not_called(choice: Any) -> None:
    extra = {"tool_choice": choice} if choice else {}

    message = ask(messages=HELLO, tools=[WEATHER], **extra)

    assert [block["type"] for block in message["content"]] == ["text"]


def test_a_tool_that_is_not_to_be_used_is_not_called() -> None:
    """Claude Code says this when it asks for a summary of a long conversation."""
    words = "Do NOT use get_weather, and don't call get_weather. Never use get_weather."

    message = ask(messages=[{"role": "user", "content": words}], tools=[WEATHER])

    assert [block["type"] for block in message["content"]] == ["text"]


def test_several_tools_asked_for_are_called_in_parallel_unless_that_is_disabled() -> None:
    tools = [WEATHER, {"name": "get_time", "input_schema": {"type": "object"}}]
    messages = [{"role": "user", "content": "use get_weather and use get_time"}]
    one = {"type": "auto", "disable_parallel_tool_use": True}

    both = ask(messages=messages, tools=tools)["content"]
    single = ask(messages=messages, tools=tools, tool_choice=one)["content"]

    assert [call["name"] for call in both] == ["get_weather", "get_time"]
    assert len({call["id"] for call in both}) == 2
    assert [call["name"] for call in single] == ["get_weather"]


def test_after_a_tool_result_the_answer_is_text_that_shows_the_result() -> None:
    messages = [
        {"role": "user", "content": "use get_weather"},
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "t1", "name": "get_weather", "input": {}}],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "21 degrees"}]},
    ]

    message = ask(messages=messages, tools=[WEATHER])

    assert message["content"][0]["text"].endswith('The tool answered "21 degrees".')
    assert message["stop_reason"] == "end_turn"


@pytest.mark.parametrize("thinking", [{"type": "enabled", "budget_tokens": 1024}, {"type": "adaptive"}])
def test_thinking_comes_first_is_signed_is_counted_and_is_taken_back(thinking: dict[str, Any]) -> None:
    message = ask(messages=HELLO, thinking=thinking, max_tokens=4000)
    thought, text = message["content"]
    again = ask(
        messages=[
            *HELLO,
            {"role": "assistant", "content": [thought, text]},
            {"role": "user", "content": "And?"},
        ],
        thinking=thinking,
        max_tokens=4000,
    )

    assert (thought["type"], text["type"]) == ("thinking", "text")
    assert thought["thinking"] and thought["signature"]
    spent = message["usage"]["output_tokens_details"]["thinking_tokens"]
    assert 0 < spent < message["usage"]["output_tokens"]
    assert again["content"][0]["type"] == "thinking"


def test_omitted_thinking_keeps_its_signature_and_its_price() -> None:
    shown = ask(messages=HELLO, thinking={"type": "adaptive"})
    hidden = ask(messages=HELLO, thinking={"type": "adaptive", "display": "omitted"})

    assert hidden["content"][0] == {**shown["content"][0], "thinking": ""}
    assert hidden["usage"] == shown["usage"]


def test_a_wanted_json_schema_is_satisfied() -> None:
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
        "required": ["name", "age"],
        "additionalProperties": False,
    }

    message = ask(messages=HELLO, output_config={"format": {"type": "json_schema", "schema": schema}})

    assert json.loads(message["content"][0]["text"]) == {"name": "simulated name", "age": 1}


def test_system_prompts_images_and_documents_are_accepted_and_mentioned() -> None:
    source = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
    content = [
        {"type": "image", "source": source},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "A fact."}},
        {"type": "text", "text": "What is it?"},
    ]

    message = ask(
        messages=[{"role": "user", "content": content}], system=[{"type": "text", "text": "Be brief."}]
    )

    assert message["content"][0]["text"].endswith(
        'You wrote "What is it?". You sent 1 image. You sent 1 document. '
        'The system prompt begins "Be brief.".'
    )
    assert message["usage"]["input_tokens"] == 4 + 3 + 3 + 1_500 + 2 + 3


def test_counting_tokens_gives_the_figure_that_usage_shows() -> None:
    asked = {"messages": HELLO, "system": "Be brief.", "tools": [WEATHER]}

    assert ask(**asked)["usage"]["input_tokens"] == simulator.count_tokens(body(**asked))


@pytest.mark.parametrize(
    "asked",
    [
        {"messages": HELLO},
        {"messages": HELLO, "max_tokens": 0},
        {"messages": HELLO, "max_tokens": 7},
        {"messages": HELLO, "stop_sequences": ["model"]},
        {"messages": HELLO, "thinking": {"type": "adaptive"}},
        {"messages": HELLO, "thinking": {"type": "adaptive", "display": "omitted"}},
        {"messages": HELLO, "tools": [WEATHER], "tool_choice": {"type": "any"}},
        {"messages": [{"role": "user", "content": "  zwölf Boxkämpfer 🥊\u2028 jagen " * 9}]},
    ],
)
def test_a_stream_keeps_the_grammar_and_says_what_the_json_answer_says(asked: dict[str, Any]) -> None:
    streamed = raw(**asked, stream=True)
    whole = ask(**asked)

    events = stream_grammar.read(streamed)
    final = anthropic_fold(streamed)
    assert [event["type"] for event in events][:2] == ["message_start", "ping"]
    for field in ("content", "stop_reason", "stop_sequence"):
        assert final[field] == whole[field]
    assert events[-2]["usage"]["output_tokens"] == whole["usage"]["output_tokens"]
    assert events[0]["message"]["usage"]["input_tokens"] == whole["usage"]["input_tokens"]


def test_text_comes_in_several_deltas_one_chunk_per_event_with_the_delay_between_them() -> None:
    async def read() -> tuple[list[bytes], float]:
        reply = await simulator.answer(body(messages=HELLO, stream=True), version="2023-06-01", delay=0.005)
        began = time.monotonic()
        return [chunk async for chunk in reply.chunks], time.monotonic() - began

    chunks, took = asyncio.run(read())

    assert all(chunk.startswith(b"event: ") and chunk.endswith(b"\n\n") for chunk in chunks)
    assert sum(b"text_delta" in chunk for chunk in chunks) >= 4
    assert took >= 0.005 * (len(chunks) - 1)


def test_a_reply_can_be_closed_before_during_and_after_reading() -> None:
    async def close_early(chunks_read: int) -> list[bytes]:
        reply = await simulator.answer(body(messages=HELLO, stream=True), version="2023-06-01", delay=0)
        for _ in range(chunks_read):
            await anext(reply.chunks)
        await reply.aclose()
        await reply.aclose()
        return [chunk async for chunk in reply.chunks]

    assert [asyncio.run(close_early(count)) for count in (0, 2)] == [[], []]


@pytest.mark.parametrize("stream", [False, True])
def test_a_large_prompt_does_not_hold_up_the_event_loop(stream: bool) -> None:
    blocks = [{"type": "text", "text": "word"}] * 150_000
    prompt = body(messages=[{"role": "user", "content": blocks}], stream=stream)

    async def answer() -> float:
        work = asyncio.create_task(simulator.answer(prompt, version="2023-06-01", delay=0))
        longest = 0.0
        while not work.done():
            before = time.monotonic()
            await asyncio.sleep(0.001)
            longest = max(longest, time.monotonic() - before)
        assert (await work).status == 200
        return longest

    assert asyncio.run(answer()) < 0.25


def ask(**fields: Any) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(raw(**fields))
    assert answer["type"] == "message", answer
    return answer


def raw(*, version: str = "2023-06-01", **fields: Any) -> bytes:
    async def read() -> bytes:
        reply = await simulator.answer(body(**fields), version=version, delay=0, request_id="req_1")
        return b"".join([chunk async for chunk in reply.chunks])

    return asyncio.run(read())


def body(**fields: Any) -> bytes:
    return json.dumps({"model": "claude-sonnet-4-5", "max_tokens": 1000, **fields}).encode()


def anthropic_fold(streamed: bytes) -> dict[str, Any]:
    """The message that the official SDK makes of a stream."""
    transport = httpx2.MockTransport(
        lambda request: httpx2.Response(200, content=streamed, headers={"content-type": "text/event-stream"})
    )
    client = anthropic.Anthropic(api_key="x", http_client=httpx2.Client(transport=transport))
    with client.messages.stream(
        model="m", max_tokens=1, messages=[{"role": "user", "content": "x"}]
    ) as stream:
        return stream.get_final_message().model_dump(exclude_unset=True)
