"""The official `openai` SDK's chat completions, for models of every kind of provider."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest
from pydantic import BaseModel

from tests import openai_provider as chat
from tests.data_plane.house import (
    CROSSING,
    CROSSING_BACK,
    SCRIPTED,
    SIMULATED,
    THINKING,
    TRANSLATED,
    House,
)
from tests.data_plane.openai_sdk import (
    BOTH,
    EVERY,
    PIXEL,
    begun,
    chat_of,
    client_of,
    post_chat,
    settled_for,
    text_of,
)
from tests.data_plane.said import HELLO, Call, Said, script_of
from tests.upstream import (
    Hang,
    Upstream,
    reply,
    streamed,
)

USAGE = {"prompt_tokens": 25, "completion_tokens": 12, "total_tokens": 37}

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}
TIME = {
    "type": "function",
    "function": {"name": "get_time", "parameters": {"type": "object", "properties": {}}},
}
ROME = Call("call_1", "get_weather", ('{"ci', 'ty":"Ro', 'me"}'))
NOON = Call("call_2", "get_time", ('{"zone":', '"CET"}'))


@pytest.fixture(scope="module")
def client(house: House) -> Iterator[openai.OpenAI]:
    with client_of(house) as client:
        yield client


# --- Answers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", BOTH)
def test_a_whole_answer_is_a_completion_of_the_catalogs_model(
    client: openai.OpenAI, upstream: Upstream, model: str
) -> None:
    script = upstream.script(script_of(model, HELLO, stream=False))

    completion = client.chat.completions.create(**chat_of(model, script))

    (choice,) = completion.choices
    assert (completion.object, completion.model) == ("chat.completion", model)
    assert completion.id.startswith("chatcmpl-")
    assert (choice.index, choice.message.role, choice.message.content) == (
        0,
        "assistant",
        "Hello from the provider.",
    )
    assert (choice.finish_reason, choice.message.tool_calls, choice.message.refusal) == ("stop", None, None)
    assert completion.usage is not None and completion.usage.to_dict().items() >= USAGE.items()
    assert completion.usage.prompt_tokens_details is not None
    assert completion.usage.prompt_tokens_details.cached_tokens == 5


@pytest.mark.parametrize("model", BOTH)
@pytest.mark.parametrize("wanted", [True, False, None])
def test_a_stream_tells_usage_only_where_it_is_asked_for(
    client: openai.OpenAI, upstream: Upstream, model: str, wanted: bool | None
) -> None:
    script = upstream.script(script_of(model, HELLO, stream=True))
    options = {} if wanted is None else {"stream_options": {"include_usage": wanted}}

    chunks = list(client.chat.completions.create(**chat_of(model, script, stream=True, **options)))

    assert text_of(chunks) == list(HELLO.text)
    assert {(chunk.object, chunk.model) for chunk in chunks} == {("chat.completion.chunk", model)}
    assert len({(chunk.id, chunk.created) for chunk in chunks}) == 1
    assert chunks[0].choices[0].delta.role == "assistant"
    told = [chunk for chunk in chunks if chunk.usage is not None]
    answer = chunks[: -len(told)] if told else chunks
    assert [len(chunk.choices) for chunk in answer] == [1] * len(answer)
    assert [chunk.choices[0].finish_reason for chunk in answer] == [*[None] * (len(answer) - 1), "stop"]
    if wanted:
        assert (told, told[0].choices) == ([chunks[-1]], [])
        assert told[0].usage is not None and told[0].usage.to_dict().items() >= USAGE.items()
    else:
        assert told == []


@pytest.mark.parametrize("model", BOTH)
@pytest.mark.parametrize("wanted", [True, False])
def test_usage_is_null_in_all_chunks_before_it_and_absent_where_nobody_asked(
    house: House, upstream: Upstream, model: str, wanted: bool
) -> None:
    script = upstream.script(script_of(model, HELLO, stream=True))

    answer = post_chat(house, chat_of(model, script, stream=True, stream_options={"include_usage": wanted}))
    frames = [
        json.loads(line[6:]) for line in answer.body.decode().splitlines() if line.startswith("data: {")
    ]

    assert answer.header("content-type") == "text/event-stream; charset=utf-8"
    assert answer.body.endswith(b"data: [DONE]\n\n")
    assert all(frame.get("usage") is None for frame in frames[:-1])
    assert (frames[-1].get("usage") is not None, frames[-1]["choices"] == []) == (wanted, wanted)


@pytest.mark.parametrize("model", EVERY)
def test_the_stream_helper_builds_the_same_completion(
    client: openai.OpenAI, upstream: Upstream, model: str
) -> None:
    script = "" if model in SIMULATED else upstream.script(script_of(model, HELLO, stream=True))

    with client.chat.completions.stream(
        **chat_of(model, script, stream_options={"include_usage": True})
    ) as stream:
        kinds = {event.type for event in stream}
        completion = stream.get_final_completion()

    assert {"chunk", "content.delta", "content.done"} <= kinds
    assert completion.model == model
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage is not None and completion.usage.completion_tokens > 0
    if model not in SIMULATED:
        assert completion.choices[0].message.content == "Hello from the provider."


def test_the_simulator_says_the_same_whole_and_in_a_stream(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(**chat_of(SIMULATED[0]))
    chunks = list(client.chat.completions.create(**chat_of(SIMULATED[0], stream=True)))

    assert "simulated" in (whole.choices[0].message.content or "")
    assert "".join(text_of(chunks)) == whole.choices[0].message.content
    assert (whole.model, chunks[0].model) == (SIMULATED[0], SIMULATED[0])


@pytest.mark.parametrize("model", BOTH)
def test_an_asynchronous_client_gets_both(house: House, upstream: Upstream, model: str) -> None:
    whole, stream = (upstream.script(script_of(model, HELLO, stream=how)) for how in (False, True))

    async def ask() -> tuple[str | None, str]:
        async with openai.AsyncOpenAI(
            base_url=f"{house.base_url}/v1", api_key=house.key, max_retries=0
        ) as client:
            completion = await client.chat.completions.create(**chat_of(model, whole))
            chunks = [
                chunk
                async for chunk in await client.chat.completions.create(**chat_of(model, stream, stream=True))
            ]
            return completion.choices[0].message.content, "".join(text_of(chunks))

    assert asyncio.run(ask()) == ("Hello from the provider.", "Hello from the provider.")


class Person(BaseModel):
    name: str
    age: int
    nicknames: list[str] = []


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", [SCRIPTED, THINKING, TRANSLATED])
def test_an_answer_is_parsed_into_a_model(
    client: openai.OpenAI, upstream: Upstream, model: str, stream: bool
) -> None:
    said = Said(('{"name":"Ada",', '"age":36,"nicknames":[]}'))
    script = upstream.script(script_of(model, said, stream=stream))

    if stream:
        with client.chat.completions.stream(**chat_of(model, script, response_format=Person)) as events:
            completion = events.get_final_completion()
    else:
        completion = client.chat.completions.parse(**chat_of(model, script, response_format=Person))
    (received,) = upstream.received(script)

    assert completion.choices[0].message.parsed == Person(name="Ada", age=36)
    if model == TRANSLATED:
        assert received.json["response_format"]["json_schema"]["name"] == "Person"
    elif model == THINKING:
        assert received.json["output_config"]["format"]["schema"]["required"] == ["name", "age", "nicknames"]
    else:  # it cannot be made to, so it is told
        assert '"nicknames"' in received.json["system"]


def test_the_simulator_fills_a_model_in(client: openai.OpenAI) -> None:
    completion = client.chat.completions.parse(**chat_of(SIMULATED[0], response_format=Person))

    assert isinstance(completion.choices[0].message.parsed, Person)


ENDS = {
    "end_turn": (HELLO, "stop"),
    "stop_sequence": (HELLO._replace(ends="stop_sequence"), "stop"),
    "max_tokens": (HELLO._replace(ends="max_tokens"), "length"),
    "tool_use": (Said(calls=(ROME,), ends="tool_use"), "tool_calls"),
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("model", BOTH)
def test_the_reason_of_an_end_is_told_by_openais_name_and_recorded_by_anthropics(
    house: House, upstream: Upstream, model: str, end: str, stream: bool
) -> None:
    said, reason = ENDS[end]
    script = upstream.script(script_of(model, said, stream=stream))

    answer = post_chat(house, chat_of(model, script, stream=stream))
    event = house.usage(answer.header("request-id"))

    assert f'"finish_reason":"{reason}"' in answer.body.decode().replace('": "', '":"')
    in_openai = (
        model == TRANSLATED and end == "stop_sequence"
    )  # a stop by a sequence has no name of its own there
    assert event.stop_reason == ("end_turn" if in_openai else end)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("model", "reason"), [(SCRIPTED, "content_filter"), (TRANSLATED, "stop")])
def test_a_refusal_says_why(
    client: openai.OpenAI, upstream: Upstream, model: str, reason: str, stream: bool
) -> None:
    script = upstream.script(script_of(model, Said(refusal="Not this."), stream=stream))

    answer = client.chat.completions.create(**chat_of(model, script, stream=stream))

    if stream:
        choices = [chunk.choices[0] for chunk in answer]
        assert "".join(choice.delta.refusal or "" for choice in choices) == "Not this."
        assert "".join(choice.delta.content or "" for choice in choices) == ""
        assert choices[-1].finish_reason == reason
    else:
        (choice,) = answer.choices
        assert (choice.message.refusal, choice.message.content or None) == ("Not this.", None)
        assert choice.finish_reason == reason


# --- Tools -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("calls", [(ROME,), (ROME, NOON)], ids=["one", "two"])
@pytest.mark.parametrize("text", [(), ("Let me ",)])
@pytest.mark.parametrize("model", BOTH)
def test_calls_come_whole_and_in_fragments(
    client: openai.OpenAI, upstream: Upstream, model: str, calls: tuple[Call, ...], text: tuple[str, ...]
) -> None:
    said = Said(text, calls=calls, ends="tool_use")
    whole, streamed_ = (upstream.script(script_of(model, said, stream=stream)) for stream in (False, True))

    completion = client.chat.completions.create(**chat_of(model, whole, tools=[WEATHER, TIME]))
    with client.chat.completions.stream(**chat_of(model, streamed_, tools=[WEATHER, TIME])) as stream:
        chunks = [event.chunk for event in stream if event.type == "chunk"]
        final = stream.get_final_completion()

    wanted = [(call.id, "function", call.name, json.loads(call.arguments)) for call in calls]
    for message in (completion.choices[0].message, final.choices[0].message):
        assert (message.content or "") == "".join(text)
        assert wanted == [
            (call.id, call.type, call.function.name, json.loads(call.function.arguments))
            for call in message.tool_calls or []
            if call.type == "function"
        ]
    fragments = [
        fragment for chunk in chunks if chunk.choices for fragment in chunk.choices[0].delta.tool_calls or []
    ]
    assert [f.index for f in fragments if f.id] == list(range(len(calls)))
    assert [f.function.arguments for f in fragments if f.function and f.function.arguments] == [
        piece for call in calls for piece in call.pieces
    ]


@pytest.mark.parametrize("model", BOTH)
def test_results_go_back_to_the_provider(client: openai.OpenAI, upstream: Upstream, model: str) -> None:
    first = upstream.script(script_of(model, Said(calls=(ROME, NOON), ends="tool_use"), stream=False))
    second = upstream.script(script_of(model, Said(("Sunny at noon.",)), stream=False))
    question = {"role": "user", "content": f"Weather and time? {first}"}

    message = client.chat.completions.create(model=model, messages=[question], tools=[WEATHER, TIME])
    turn = message.choices[0].message
    results = [
        {"role": "tool", "tool_call_id": call.id, "content": f"result of {call.id}"}
        for call in turn.tool_calls
    ]
    question = {"role": "user", "content": f"Weather and time? {second}"}
    told = client.chat.completions.create(
        model=model, messages=[question, turn, *results], tools=[WEATHER, TIME]
    )
    (received,) = upstream.received(second)

    assert told.choices[0].message.content == "Sunny at noon."
    if model == TRANSLATED:
        assert received.json["messages"][2:] == results
        assert [call["id"] for call in received.json["messages"][1]["tool_calls"]] == ["call_1", "call_2"]
    else:
        assert received.json["messages"][1:] == [
            {
                "role": "assistant",
                "content": [
                    {"type": "tool_use", "id": "call_1", "name": "get_weather", "input": {"city": "Rome"}},
                    {"type": "tool_use", "id": "call_2", "name": "get_time", "input": {"zone": "CET"}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "call_1", "content": "result of call_1"},
                    {"type": "tool_result", "tool_use_id": "call_2", "content": "result of call_2"},
                ],
            },
        ]


def test_a_tool_of_the_simulator_is_called_and_its_result_taken(client: openai.OpenAI) -> None:
    question = {"role": "user", "content": "Please use get_weather."}
    first = client.chat.completions.create(model=SIMULATED[0], messages=[question], tools=[WEATHER])
    turn = first.choices[0].message
    (call,) = turn.tool_calls
    result = {"role": "tool", "tool_call_id": call.id, "content": "21 degrees"}
    second = client.chat.completions.create(
        model=SIMULATED[0],
        messages=[question, turn, result],
        tools=[WEATHER],
    )

    assert (first.choices[0].finish_reason, call.function.name) == ("tool_calls", "get_weather")
    assert json.loads(call.function.arguments) == {"city": "simulated city"}
    assert "21 degrees" in (second.choices[0].message.content or "")


CHOICES: list[tuple[dict[str, Any], dict[str, Any] | None]] = [
    ({}, None),
    ({"tool_choice": "auto"}, {"type": "auto"}),
    ({"tool_choice": "none"}, {"type": "none"}),
    ({"tool_choice": "required"}, {"type": "any"}),
    (
        {"tool_choice": {"type": "function", "function": {"name": "get_time"}}},
        {"type": "tool", "name": "get_time"},
    ),
    ({"parallel_tool_calls": True}, None),
    ({"parallel_tool_calls": False}, {"type": "auto", "disable_parallel_tool_use": True}),
    (
        {"tool_choice": "required", "parallel_tool_calls": False},
        {"type": "any", "disable_parallel_tool_use": True},
    ),
]


@pytest.mark.parametrize(("fields", "wanted"), CHOICES)
def test_which_tool_is_called_is_the_clients_choice(
    client: openai.OpenAI, upstream: Upstream, fields: dict[str, Any], wanted: dict[str, Any] | None
) -> None:
    scripts = {model: upstream.script(script_of(model, HELLO, stream=False)) for model in BOTH}

    for model, script in scripts.items():
        client.chat.completions.create(**chat_of(model, script, tools=[WEATHER, TIME], **fields))
    (retold,), (relayed,) = (upstream.received(script) for script in scripts.values())

    assert retold.json.get("tool_choice") == wanted
    assert {name: relayed.json.get(name) for name in fields} == fields


# --- What goes to the provider -----------------------------------------------------------------------------


def test_images_go_to_either_provider(client: openai.OpenAI, upstream: Upstream) -> None:
    scripts = {model: upstream.script(script_of(model, HELLO, stream=False)) for model in BOTH}
    urls = [f"data:image/png;base64,{PIXEL}", "https://example.com/cat.jpg"]
    images = [{"type": "image_url", "image_url": {"url": url, "detail": "low"}} for url in urls]

    for model, script in scripts.items():
        content = [{"type": "text", "text": f"Look {script}"}, *images]
        client.chat.completions.create(model=model, messages=[{"role": "user", "content": content}])
    (retold,), (relayed,) = (upstream.received(script) for script in scripts.values())

    assert relayed.json["messages"][0]["content"][1:] == images
    assert retold.json["messages"][0]["content"][1:] == [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
        {"type": "image", "source": {"type": "url", "url": urls[1]}},
    ]


def test_the_simulator_sees_an_image(client: openai.OpenAI) -> None:
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
    content = [{"type": "text", "text": "Look"}, image]

    completion = client.chat.completions.create(
        model=SIMULATED[0],
        messages=[{"role": "user", "content": content}],
    )

    assert "You sent 1 image." in (completion.choices[0].message.content or "")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", [THINKING, TRANSLATED])
def test_effort_goes_in_and_thoughts_come_out(
    client: openai.OpenAI, upstream: Upstream, model: str, stream: bool
) -> None:
    said = Said(("42.",), thought=("Six", " times", " seven."))
    script = upstream.script(script_of(model, said, stream=stream))

    answer = client.chat.completions.create(**chat_of(model, script, stream=stream, reasoning_effort="high"))
    (received,) = upstream.received(script)

    if stream:
        deltas = [chunk.choices[0].delta for chunk in answer if chunk.choices]
        thoughts = [getattr(delta, "reasoning_content", None) or "" for delta in deltas]
        assert [thought for thought in thoughts if thought] == list(said.thought)
        assert "".join(delta.content or "" for delta in deltas) == "42."
    else:
        message = answer.choices[0].message
        assert (message.reasoning_content, message.content) == ("Six times seven.", "42.")
    if model == THINKING:
        assert received.json["thinking"] == {"type": "adaptive"}
        assert received.json["output_config"] == {"effort": "high"}
    else:
        assert received.json["reasoning_effort"] == "high"


def test_a_long_conversation_keeps_its_turns(client: openai.OpenAI, upstream: Upstream) -> None:
    scripts = {model: upstream.script(script_of(model, HELLO, stream=False)) for model in BOTH}
    turns = [
        {"role": role, "content": f"{role} {number}"}
        for number in range(60)
        for role in ("user", "assistant")
    ]
    system = [{"role": "system", "content": "Be brief."}, {"role": "developer", "content": "Be kind."}]

    for model, script in scripts.items():
        last = {"role": "user", "content": f"Hello {script}"}
        client.chat.completions.create(model=model, messages=[*system, *turns, last])
    (retold,), (relayed,) = (upstream.received(script) for script in scripts.values())

    assert relayed.json["messages"][:-1] == [*system, *turns]
    assert retold.json["system"] == "Be brief.\nBe kind."
    assert retold.json["messages"][:-1] == turns


def test_lengths_stops_and_sampling_reach_anthropics_words(client: openai.OpenAI, upstream: Upstream) -> None:
    script = upstream.script(script_of(SCRIPTED, HELLO, stream=False))
    wanted = {
        "max_completion_tokens": 7,
        "stop": ["END", " "],
        "temperature": 1.6,
        "top_p": 0.5,
        "user": "u-1",
    }

    raw = client.chat.completions.with_raw_response.create(**chat_of(SCRIPTED, script, seed=3, **wanted))
    (received,) = upstream.received(script)

    told = {name: received.json[name] for name in received.json if name != "messages"}
    assert told == {
        "model": "upstream-model",
        "max_tokens": 7,
        "stop_sequences": ["END"],
        "temperature": 1.0,
        "top_p": 0.5,
        "metadata": {"user_id": "u-1"},
    }
    assert raw.headers["x-gateway-dropped"] == "seed, stop"


def test_an_anthropic_provider_is_asked_in_its_own_protocol(
    client: openai.OpenAI, upstream: Upstream
) -> None:
    script = upstream.script(script_of(SCRIPTED, HELLO, stream=False))

    client.chat.completions.create(**chat_of(SCRIPTED, script))
    (received,) = upstream.received(script)

    assert (received.target, received.header("anthropic-version")) == ("/v1/messages", "2023-06-01")
    assert received.header("x-api-key") == "sk-provider-0123456789abcdef"
    assert received.header("authorization") is None
    assert received.json["max_tokens"] == 4096


ODD = (
    b'{ "model" :"%b",\n\t"x_new": {"a": 1.50, "b": [1e2 ,-0.0, 12345678901234567890]},"messages" :'
    b' [ {"role":"user", "content":"Hello %b \\u00e9\\ud83d\\ude00", "model":"mine"} ] ,"seed":null }\r\n'
)
ODD_ANSWER = (
    b'{"id":"chatcmpl-1" , "object":"chat.completion","created":1767225600,"model" : "%b" ,"choices":[ {"index":0,'
    b'"message":{"role":"assistant","content":"\\"model\\": \\"x\\"","model":"kept"},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":10,"completion_tokens":2,"total_tokens":12,"x_cost":0.10},"x_new":[ ]}\n'
)


def test_a_relayed_body_is_the_callers_byte_for_byte_but_for_the_model(
    house: House, upstream: Upstream
) -> None:
    script = upstream.script(reply(200, ODD_ANSWER % b"upstream-model-2026"))

    answer = post_chat(house, ODD % (TRANSLATED.encode(), script.encode()))
    (received,) = upstream.received(script)

    assert received.body == ODD % (b"upstream-model", script.encode())
    assert answer.body == ODD_ANSWER % TRANSLATED.encode()
    assert answer.header("content-type") == "application/json"


@pytest.mark.parametrize(
    ("told", "sent"),
    [
        (b', "stream_options":null', b', "stream_options":{"include_usage":true}'),
        (b', "stream_options": {"include_usage" : true} ', b', "stream_options": {"include_usage" : true} '),
        (
            b', "stream_options":{"include_usage":false,"include_obfuscation":false}',
            b', "stream_options":{"include_usage":true,"include_obfuscation":false}',
        ),
    ],
)
def test_a_relayed_stream_asks_for_usage_and_changes_nothing_else(
    house: House, upstream: Upstream, told: bytes, sent: bytes
) -> None:
    script = upstream.script(streamed(chat.frames()))
    body = b'{"model":"%b","messages":[{"role":"user","content":"%b"}], "stream" : true%b}'

    answer = post_chat(house, body % (TRANSLATED.encode(), script.encode(), told))
    (received,) = upstream.received(script)

    assert received.body == body % (b"upstream-model", script.encode(), sent)
    own = [frame.replace(b"upstream-model-2026-01-01", TRANSLATED.encode()) for frame in chat.frames()]
    wanted = own if b'"include_usage" : true' in told else [*own[:-2], own[-1]]
    assert answer.body == b"".join(wanted)


def test_the_simulator_ignores_nothing_silently(client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(
        **chat_of(SIMULATED[0], logit_bias={"1": 1}, store=True)
    )

    assert raw.headers["x-gateway-dropped"] == "logit_bias, store"
    assert raw.headers["x-gateway-provider"] == "simulator"


# --- Headers and the ledger --------------------------------------------------------------------------------


@pytest.mark.parametrize("model", EVERY)
@pytest.mark.parametrize("stream", [False, True])
def test_the_head_of_an_answer(client: openai.OpenAI, model: str, stream: bool) -> None:
    provider_of = {SCRIPTED: "scripted", TRANSLATED: "translated", SIMULATED[0]: "simulator"}

    raw = client.chat.completions.with_raw_response.create(**chat_of(model, stream=stream))
    raw.parse()

    assert raw.headers["x-request-id"] == raw.headers["request-id"]
    assert raw.headers["x-request-id"].startswith("req_")
    assert (raw.headers["x-gateway-provider"], raw.headers["x-gateway-attempts"]) == (provider_of[model], "1")
    assert not [name for name in raw.headers if name.startswith("x-envoy") or name == "set-cookie"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", BOTH)
def test_the_ledger_holds_the_providers_figures_under_the_catalogs_name(
    house: House, upstream: Upstream, model: str, stream: bool
) -> None:
    script = upstream.script(script_of(model, HELLO, stream=stream))

    answer = post_chat(house, chat_of(model, script, stream=stream, prompt_cache_key="chat-7"))
    event = house.usage(answer.header("request-id"))

    assert (event.endpoint, event.model, event.upstream_model) == (
        "chat/completions",
        model,
        "upstream-model",
    )
    assert (event.usage.input_tokens, event.usage.cache_read_tokens, event.usage.output_tokens) == (20, 5, 12)
    assert (event.usage_source, event.stream, event.status) == ("reported", stream, 200)
    assert (event.stop_reason, event.session_id, event.error_type) == ("end_turn", "chat-7", "")


@pytest.mark.parametrize("stream", [False, True])
def test_a_relayed_answer_without_usage_is_recorded_as_estimated(
    house: House, upstream: Upstream, stream: bool
) -> None:
    whole = {name: value for name, value in chat.completion().items() if name != "usage"}
    script = upstream.script(streamed(chat.frames(chat.chunks(usage=None))) if stream else reply(200, whole))

    answer = post_chat(house, chat_of(TRANSLATED, script, stream=stream))
    event = house.usage(answer.header("request-id"))

    assert (answer.status, event.usage_source, event.usage.output_tokens) == (200, "estimated", 6)
    assert event.usage.input_tokens > 0


# --- Limits ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", BOTH)
def test_an_answer_carries_the_tenants_limits_by_both_names(house: House, model: str, stream: bool) -> None:
    tenant = house.tenant(limits={"requests_per_minute": 10, "tokens_per_minute": 100_000})

    with client_of(house, tenant.key) as client:
        raw = client.chat.completions.with_raw_response.create(**chat_of(model, stream=stream, max_tokens=10))
        raw.parse()

    assert (raw.headers["x-ratelimit-limit-requests"], raw.headers["x-ratelimit-remaining-requests"]) == (
        "10",
        "9",
    )
    assert raw.headers["x-ratelimit-reset-requests"] == "6s"
    assert raw.headers["x-ratelimit-limit-tokens"] == "100000"
    assert 90_000 < int(raw.headers["x-ratelimit-remaining-tokens"]) < 100_000
    assert re.fullmatch(r"\d+(ms|s)", raw.headers["x-ratelimit-reset-tokens"])
    assert raw.headers["anthropic-ratelimit-requests-remaining"] == "9"


def test_anthropics_endpoint_does_not_carry_openais_names(house: House) -> None:
    tenant = house.tenant(limits={"requests_per_minute": 10})

    answer = house.post({**chat_of(SCRIPTED), "max_tokens": 5}, key=tenant.key)

    assert answer.header("anthropic-ratelimit-requests-remaining") == "9"
    assert [name for name, _ in answer.headers if name.startswith("x-ratelimit")] == []


def test_a_limit_that_is_reached_is_told_in_openais_words(house: House) -> None:
    tenant = house.tenant(limits={"requests_per_minute": 1})

    with client_of(house, tenant.key) as client:
        client.chat.completions.create(**chat_of(SIMULATED[0]))
        with pytest.raises(openai.RateLimitError) as caught:
            client.chat.completions.create(**chat_of(SIMULATED[0], stream=True))

    error, headers = caught.value, caught.value.response.headers
    assert (error.status_code, error.type, error.code) == (429, "rate_limit_error", "rate_limit_exceeded")
    assert "1 requests per minute" in error.message
    assert 1 <= int(headers["retry-after"]) <= 60
    assert (headers["x-ratelimit-remaining-requests"], error.request_id) == ("0", headers["request-id"])
    assert re.fullmatch(r"\d+s|1m0s", headers["x-ratelimit-reset-requests"])


# --- Many providers, many clients ---------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("model", "first", "providers"),
    [
        (CROSSING, "/v1/chat/completions", ["translated", "scripted"]),
        (CROSSING_BACK, "/v1/messages", ["scripted", "translated"]),
    ],
)
def test_a_fallback_crosses_dialects(
    client: openai.OpenAI, upstream: Upstream, model: str, first: str, providers: list[str], stream: bool
) -> None:
    script = upstream.scripts({first: reply(500, b"<html>", content_type="text/html")})

    raw = client.chat.completions.with_raw_response.create(**chat_of(model, script, stream=stream))
    told = raw.parse()

    if stream:
        chunks = list(told)
        assert ("".join(text_of(chunks)), chunks[0].model) == ("Hello from the provider.", model)
    else:
        assert (told.choices[0].message.content, told.model) == ("Hello from the provider.", model)
    assert (raw.headers["x-gateway-provider"], raw.headers["x-gateway-attempts"]) == (providers[1], "2")
    assert [request.target == first for request in upstream.received(script)] == [True, False]


def test_one_key_serves_both_sdks(house: House, client: openai.OpenAI, upstream: Upstream) -> None:
    with anthropic.Anthropic(base_url=house.base_url, api_key=house.key, max_retries=0) as other:
        for model in BOTH:
            script = upstream.script(script_of(model, HELLO, stream=False))
            completion = client.chat.completions.create(**chat_of(model, script))
            message = other.messages.create(**chat_of(model, script, max_tokens=100))

            assert [block.text for block in message.content] == [completion.choices[0].message.content]
            usage = completion.usage
            assert usage is not None
            assert (message.usage.input_tokens, message.usage.cache_read_input_tokens) == (20, 5)
            assert (message.usage.output_tokens, usage.completion_tokens) == (12, 12)


@pytest.mark.parametrize("model", BOTH)
def test_a_client_that_leaves_cuts_the_provider_off_and_is_settled_as_an_estimate(
    house: House, upstream: Upstream, model: str
) -> None:
    tenant = house.tenant()
    script = upstream.script(begun(model), Hang())

    with client_of(house, tenant.key) as client:
        stream = client.chat.completions.create(**chat_of(model, script, stream=True))
        next(iter(stream))
        time.sleep(0.15)
        stream.close()
    (received,) = upstream.received(script)

    assert received.closed.wait(3)
    event = settled_for(house, tenant)
    assert (event.usage_source, event.status, event.error_type) == ("estimated", 499, "client_closed")
    assert (event.endpoint, event.usage.output_tokens >= 1) == ("chat/completions", True)
