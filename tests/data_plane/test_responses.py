"""The official `openai` SDK's responses, for models of every kind of provider."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import BaseModel, TypeAdapter

from gateway.credentials import new_secret
from tests import openai_provider as chat
from tests import upstream as provider
from tests.data_plane.house import (
    CROSSING,
    CROSSING_BACK,
    HASTY,
    HASTY_TRANSLATED,
    JSON,
    SCRIPTED,
    SIMULATED,
    THINKING,
    TRANSLATED,
    House,
)
from tests.data_plane.openai_sdk import BOTH, EVERY, FAULTS, PIXEL, begun, client_of, settled_for, the_rest
from tests.data_plane.said import HELLO, Call, Said, script_of
from tests.data_plane.wire import Answer
from tests.upstream import (
    LAST_CHUNK,
    Close,
    Hang,
    Pause,
    Script,
    Send,
    Upstream,
    chunk,
    reply,
)

WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather in a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    "strict": False,
}
TIME = {
    "type": "function",
    "name": "get_time",
    "parameters": {"type": "object", "properties": {}},
    "strict": False,
}
ROME = Call("call_1", "get_weather", ('{"ci', 'ty":"Ro', 'me"}'))
NOON = Call("call_2", "get_time", ('{"zone":', '"CET"}'))
_event: TypeAdapter[ResponseStreamEvent] = TypeAdapter(ResponseStreamEvent)


@pytest.fixture(scope="module")
def client(house: House) -> Iterator[openai.OpenAI]:
    with client_of(house) as client:
        yield client


def asked(model: str, script: str = "", **fields: Any) -> Any:
    """A usual request, as the SDK takes it; `script` names what the provider is to do."""
    return {"model": model, "input": f"Hello {script}", **fields}


def post(house: House, body: bytes | dict[str, Any], **how: Any) -> Answer:
    return house.post(body, path="/v1/responses", usual=(JSON,), **how)


def whole_of(client: openai.OpenAI, *, stream: bool, **request: Any) -> Response:
    """The response, asked for whole or taken from the last event of a stream."""
    if not stream:
        return client.responses.create(**request)
    (*_, last) = client.responses.create(**request, stream=True)
    assert last.type in ("response.completed", "response.incomplete", "response.failed")
    return last.response


def events_of(answer: Answer) -> list[dict[str, Any]]:
    lines = answer.body.decode().splitlines()
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]


# --- Answers -----------------------------------------------------------------------------------------------

INPUTS: list[Any] = [
    "Hello {}",
    [{"role": "user", "content": "Hello {}"}],
    [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello {}"}]}],
]


def with_script(value: Any, script: str) -> Any:
    return json.loads(json.dumps(value).replace("{}", script))


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("given", INPUTS, ids=["string", "messages", "items"])
@pytest.mark.parametrize("model", BOTH)
def test_an_answer_is_a_response_of_the_catalogs_model(
    client: openai.OpenAI, upstream: Upstream, model: str, given: Any, stream: bool
) -> None:
    script = upstream.script(script_of(model, HELLO, stream=stream))

    response = whole_of(
        client, stream=stream, model=model, input=with_script(given, script), instructions="Be brief."
    )
    (received,) = upstream.received(script)

    assert (response.object, response.model, response.status) == ("response", model, "completed")
    assert response.id.startswith("resp_")
    assert response.output_text == "Hello from the provider."
    assert [item.type for item in response.output] == ["message"]
    assert (response.error, response.incomplete_details, response.instructions) == (None, None, "Be brief.")
    usage = response.usage
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (25, 12, 37)
    assert usage.input_tokens_details.cached_tokens == 5
    said = [{"role": "user", "content": f"Hello {script}"}]
    if model == TRANSLATED:
        assert received.json["messages"] == [{"role": "system", "content": "Be brief."}, *said]
    else:
        assert received.json["system"] == "Be brief."
        (turn,) = received.json["messages"]
        assert turn["content"] in (f"Hello {script}", [{"type": "text", "text": f"Hello {script}"}])


@pytest.mark.parametrize("model", BOTH)
def test_every_event_of_a_stream_is_one_that_the_sdk_knows(
    house: House, upstream: Upstream, model: str
) -> None:
    said = Said(("Let ", "me."), thought=("Hm", "."), calls=(ROME, NOON), ends="tool_use")
    script = upstream.script(script_of(model, said, stream=True))

    answer = post(house, asked(model, script, stream=True, tools=[WEATHER, TIME]))
    events = events_of(answer)
    known = [_event.validate_python(event) for event in events]

    assert answer.header("content-type") == "text/event-stream; charset=utf-8"
    assert [event.sequence_number for event in known] == list(range(len(known)))
    assert [line[7:] for line in answer.body.decode().splitlines() if line.startswith("event: ")] == [
        event["type"] for event in events
    ]
    assert list(dict.fromkeys(event.type for event in known)) == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.reasoning_summary_part.added",
        "response.reasoning_summary_text.delta",
        "response.reasoning_summary_text.done",
        "response.reasoning_summary_part.done",
        "response.output_item.done",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.completed",
    ]
    items = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert events[-1]["response"]["output"] == items
    assert {event["response"]["model"] for event in events if "response" in event} == {model}


@pytest.mark.parametrize("model", EVERY)
def test_the_stream_helper_builds_the_same_response(
    client: openai.OpenAI, upstream: Upstream, model: str
) -> None:
    script = "" if model in SIMULATED else upstream.script(script_of(model, HELLO, stream=True))

    with client.responses.stream(**asked(model, script)) as stream:
        pieces = [event.delta for event in stream if event.type == "response.output_text.delta"]
        response = stream.get_final_response()

    assert (response.status, response.model, "".join(pieces)) == ("completed", model, response.output_text)
    assert response.usage is not None and response.usage.output_tokens > 0
    if model not in SIMULATED:
        assert pieces == list(HELLO.text)


def test_the_simulator_says_the_same_whole_and_in_a_stream(client: openai.OpenAI) -> None:
    whole, streamed = (whole_of(client, stream=stream, **asked(SIMULATED[0])) for stream in (False, True))

    assert "simulated" in whole.output_text
    assert streamed.output_text == whole.output_text


@pytest.mark.parametrize("model", BOTH)
def test_an_asynchronous_client_gets_both(house: House, upstream: Upstream, model: str) -> None:
    whole, stream = (upstream.script(script_of(model, HELLO, stream=how)) for how in (False, True))

    async def ask() -> tuple[str, str]:
        async with openai.AsyncOpenAI(
            base_url=f"{house.base_url}/v1", api_key=house.key, max_retries=0
        ) as client:
            response = await client.responses.create(**asked(model, whole))
            pieces = [
                event.delta
                async for event in await client.responses.create(**asked(model, stream, stream=True))
                if event.type == "response.output_text.delta"
            ]
            return response.output_text, "".join(pieces)

    assert asyncio.run(ask()) == ("Hello from the provider.", "Hello from the provider.")


class Person(BaseModel):
    name: str
    age: int


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", [SCRIPTED, THINKING, TRANSLATED])
def test_an_answer_is_parsed_into_a_model(
    client: openai.OpenAI, upstream: Upstream, model: str, stream: bool
) -> None:
    script = upstream.script(script_of(model, Said(('{"name":"Ada",', '"age":36}')), stream=stream))

    if stream:
        with client.responses.stream(**asked(model, script, text_format=Person)) as events:
            response = events.get_final_response()
    else:
        response = client.responses.parse(**asked(model, script, text_format=Person))
    (received,) = upstream.received(script)

    assert response.output_parsed == Person(name="Ada", age=36)
    if model == TRANSLATED:
        assert received.json["response_format"]["json_schema"]["schema"]["required"] == ["name", "age"]
    elif model == THINKING:
        assert received.json["output_config"]["format"]["schema"]["required"] == ["name", "age"]
    else:  # it cannot be made to, so it is told
        assert '"age"' in received.json["system"]


def test_the_simulator_fills_a_model_in(client: openai.OpenAI) -> None:
    response = client.responses.parse(**asked(SIMULATED[0], text_format=Person))

    assert isinstance(response.output_parsed, Person)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", BOTH)
def test_an_answer_that_was_cut_off_is_incomplete(
    client: openai.OpenAI, upstream: Upstream, model: str, stream: bool
) -> None:
    script = upstream.script(script_of(model, HELLO._replace(ends="max_tokens"), stream=stream))

    response = whole_of(client, stream=stream, **asked(model, script, max_output_tokens=16))
    (received,) = upstream.received(script)

    assert response.status == "incomplete"
    assert response.incomplete_details is not None
    assert response.incomplete_details.reason == "max_output_tokens"
    assert (response.output_text, response.max_output_tokens) == ("Hello from the provider.", 16)
    assert received.json["max_tokens"] == 16


def test_the_simulator_stops_at_the_length_that_was_asked_for(client: openai.OpenAI) -> None:
    for stream in (False, True):
        response = whole_of(client, stream=stream, **asked(SIMULATED[0], max_output_tokens=5))

        assert (response.status, response.usage and response.usage.output_tokens) == ("incomplete", 5)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("model", "part"),
    [
        (SCRIPTED, {"type": "refusal", "refusal": "Not this."}),
        (TRANSLATED, {"type": "output_text", "text": "Not this.", "annotations": [], "logprobs": []}),
    ],
    ids=BOTH,
)
def test_a_refusal_says_why(
    client: openai.OpenAI, upstream: Upstream, model: str, part: dict[str, Any], stream: bool
) -> None:
    script = upstream.script(script_of(model, Said(refusal="Not this."), stream=stream))

    response = whole_of(client, stream=stream, **asked(model, script))

    assert response.status == "incomplete"
    assert response.incomplete_details is not None
    assert response.incomplete_details.reason == "content_filter"
    assert [each.to_dict() for item in response.output for each in item.content] == [part]


# --- Tools -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", BOTH)
def test_a_turn_of_calls_goes_both_ways(
    client: openai.OpenAI, upstream: Upstream, model: str, stream: bool
) -> None:
    first = upstream.script(
        script_of(model, Said(("Let me.",), calls=(ROME, NOON), ends="tool_use"), stream=stream)
    )
    second = upstream.script(script_of(model, Said(("Sunny at noon.",)), stream=stream))

    turn = whole_of(client, stream=stream, **asked(model, first, tools=[WEATHER, TIME]))
    calls = [item for item in turn.output if item.type == "function_call"]
    results = [
        {"type": "function_call_output", "call_id": call.call_id, "output": f"result of {call.call_id}"}
        for call in calls
    ]
    question = {"role": "user", "content": f"Hello {second}"}
    told = whole_of(
        client, stream=stream, model=model, input=[question, *turn.output, *results], tools=[WEATHER, TIME]
    )
    (received,) = upstream.received(second)

    assert (turn.status, told.output_text) == ("completed", "Sunny at noon.")
    assert [(call.call_id, call.name, json.loads(call.arguments), call.status) for call in calls] == [
        ("call_1", "get_weather", {"city": "Rome"}, "completed"),
        ("call_2", "get_time", {"zone": "CET"}, "completed"),
    ]
    sent = received.json["messages"]
    if model == TRANSLATED:
        assert [message["role"] for message in sent] == ["user", "assistant", "tool", "tool"]
        assert [message.get("content") for message in sent[1:]] == [
            "Let me.",
            "result of call_1",
            "result of call_2",
        ]
    else:
        assert [block["type"] for block in sent[1]["content"]] == ["text", "tool_use", "tool_use"]
        assert sent[2]["content"] == [
            {"type": "tool_result", "tool_use_id": "call_1", "content": "result of call_1"},
            {"type": "tool_result", "tool_use_id": "call_2", "content": "result of call_2"},
        ]


def test_a_tool_of_the_simulator_is_called_and_its_result_taken(client: openai.OpenAI) -> None:
    question = {"role": "user", "content": "Please use get_weather."}
    turn = client.responses.create(model=SIMULATED[0], input=[question], tools=[WEATHER])
    (call,) = turn.output
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "21 degrees"}
    told = client.responses.create(model=SIMULATED[0], input=[question, call, result], tools=[WEATHER])

    assert (call.type, call.name, json.loads(call.arguments)) == (
        "function_call",
        "get_weather",
        {"city": "simulated city"},
    )
    assert "21 degrees" in told.output_text


CHOICES: list[tuple[dict[str, Any], Any, Any]] = [
    ({"tool_choice": "auto"}, {"type": "auto"}, "auto"),
    ({"tool_choice": "none"}, {"type": "none"}, "none"),
    ({"tool_choice": "required"}, {"type": "any"}, "required"),
    (
        {"tool_choice": {"type": "function", "name": "get_time"}},
        {"type": "tool", "name": "get_time"},
        {"type": "function", "function": {"name": "get_time"}},
    ),
    ({"parallel_tool_calls": False}, {"type": "auto", "disable_parallel_tool_use": True}, "auto"),
]


@pytest.mark.parametrize(("fields", "in_anthropic", "in_openai"), CHOICES)
def test_which_tool_is_called_is_the_clients_choice(
    client: openai.OpenAI, upstream: Upstream, fields: dict[str, Any], in_anthropic: Any, in_openai: Any
) -> None:
    scripts = {model: upstream.script(script_of(model, HELLO, stream=False)) for model in BOTH}

    for model, script in scripts.items():
        client.responses.create(**asked(model, script, tools=[WEATHER, TIME], **fields))
    (anthropic,), (translated,) = (upstream.received(script) for script in scripts.values())

    assert anthropic.json.get("tool_choice") == in_anthropic
    assert translated.json.get("tool_choice") == in_openai
    assert translated.json.get("parallel_tool_calls") == fields.get("parallel_tool_calls")


@pytest.mark.parametrize("model", EVERY)
def test_hosted_tools_are_left_out_and_named(client: openai.OpenAI, upstream: Upstream, model: str) -> None:
    script = "" if model in SIMULATED else upstream.script(script_of(model, HELLO, stream=False))
    hosted = [
        {"type": "web_search"},
        {"type": "image_generation"},
        {"type": "local_shell"},
        {"type": "from_the_future", "x": [1]},
    ]

    raw = client.responses.with_raw_response.create(
        **asked(model, script, tools=[hosted[0], WEATHER, *hosted[1:]])
    )
    response = raw.parse()

    assert raw.headers["x-gateway-dropped"] == (
        "tools.web_search, tools.image_generation, tools.local_shell, tools.from_the_future"
    )
    assert [tool.type for tool in response.tools] == ["function"]
    for received in upstream.received(script) if script else []:
        assert len(received.json["tools"]) == 1


# --- What goes to the provider -----------------------------------------------------------------------------


def test_images_go_to_either_provider(client: openai.OpenAI, upstream: Upstream) -> None:
    scripts = {model: upstream.script(script_of(model, HELLO, stream=False)) for model in BOTH}
    urls = [f"data:image/png;base64,{PIXEL}", "https://example.com/cat.jpg"]
    images = [{"type": "input_image", "image_url": url, "detail": "auto"} for url in urls]

    for model, script in scripts.items():
        content = [{"type": "input_text", "text": f"Look {script}"}, *images]
        client.responses.create(model=model, input=[{"role": "user", "content": content}])
    (anthropic,), (translated,) = (upstream.received(script) for script in scripts.values())

    assert [part["image_url"]["url"] for part in translated.json["messages"][0]["content"][1:]] == urls
    assert anthropic.json["messages"][0]["content"][1:] == [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
        {"type": "image", "source": {"type": "url", "url": urls[1]}},
    ]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", [THINKING, TRANSLATED])
def test_effort_goes_in_and_a_summary_comes_out_that_goes_back(
    client: openai.OpenAI, upstream: Upstream, model: str, stream: bool
) -> None:
    said = Said(("42.",), thought=("Six", " times", " seven."))
    first, second = (upstream.script(script_of(model, said, stream=stream)) for _ in range(2))
    how = {"reasoning": {"effort": "high", "summary": "auto"}, "include": ["reasoning.encrypted_content"]}

    response = whole_of(client, stream=stream, **asked(model, first, store=False, **how))
    again = [
        {"role": "user", "content": "Hello"},
        *response.output,
        {"role": "user", "content": f"And {second}?"},
    ]
    whole_of(client, stream=stream, model=model, input=again, store=False, **how)
    (received,), (reminded,) = (upstream.received(script) for script in (first, second))

    thought, message = response.output
    assert (thought.type, message.type, response.output_text) == ("reasoning", "message", "42.")
    assert [part.text for part in thought.summary] == ["Six times seven."]
    turn = reminded.json["messages"][1]
    if model == THINKING:
        assert received.json["thinking"] == {"type": "adaptive"}
        assert received.json["output_config"] == {"effort": "high"}
        assert turn["content"] == [
            {"type": "thinking", "thinking": "Six times seven.", "signature": "c2lnbmVk"},
            {"type": "text", "text": "42."},
        ]
    else:
        assert received.json["reasoning_effort"] == "high"
        assert turn["content"] == "42."


def test_a_long_conversation_keeps_its_turns(client: openai.OpenAI, upstream: Upstream) -> None:
    scripts = {model: upstream.script(script_of(model, HELLO, stream=False)) for model in BOTH}
    turns = [
        {"role": role, "content": f"{role} {number}"}
        for number in range(60)
        for role in ("user", "assistant")
    ]
    developer = [{"role": "developer", "content": "Be kind."}]

    for model, script in scripts.items():
        last = {"role": "user", "content": f"Hello {script}"}
        client.responses.create(model=model, input=[*developer, *turns, last], instructions="Be brief.")
    (anthropic,), (translated,) = (upstream.received(script) for script in scripts.values())

    assert anthropic.json["system"] == "Be brief.\nBe kind."
    for received in (anthropic, translated):
        told = [
            (message["role"], _text_of(message["content"]))
            for message in received.json["messages"]
            if message["role"] != "system"
        ]
        assert told[:-1] == [(turn["role"], turn["content"]) for turn in turns]


def _text_of(content: Any) -> str:
    return content if isinstance(content, str) else "".join(block["text"] for block in content)


# --- Refusals ----------------------------------------------------------------------------------------------

MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"previous_response_id": "resp_1"}, "previous_response_id"),
    ({"conversation": "conv_1"}, "conversation"),
    ({"background": True}, "background"),
    ({"input": []}, "input"),
    ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input.0.type"),
    ({"input": [{"role": "robot", "content": "x"}]}, "input.0.role"),
    ({"max_output_tokens": 0}, "max_output_tokens"),
    ({"temperature": 3}, "temperature"),
    ({"reasoning": {"effort": "much"}}, "reasoning.effort"),
    ({"tools": [WEATHER], "tool_choice": {"type": "function", "name": "no"}}, "tool_choice.name"),
    (
        {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "file-1"}]}]},
        "input.0.content.0.file_id",
    ),
    ({"input": [{"type": "function_call_output", "call_id": "x", "output": "y"}]}, None),
]


@pytest.mark.parametrize(("fields", "param"), MISTAKES, ids=[str(param) for _, param in MISTAKES])
def test_a_mistake_is_named_by_its_parameter_and_no_provider_is_asked(
    client: openai.OpenAI, upstream: Upstream, fields: dict[str, Any], param: str | None
) -> None:
    reached = len(upstream.log)

    for model in BOTH:
        with pytest.raises(openai.BadRequestError) as caught:
            client.responses.create(**{**asked(model), **fields})
        assert (caught.value.status_code, caught.value.type) == (400, "invalid_request_error")
        assert caught.value.param == (param or "input.0")

    assert len(upstream.log) == reached


def test_a_previous_response_is_refused_with_what_to_do_instead(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(**asked(SIMULATED[0], previous_response_id="resp_1", stream=True))

    assert "previous_response_id: this gateway stores no responses" in caught.value.message


def test_keys_and_models_are_refused_in_openais_words(house: House, client: openai.OpenAI) -> None:
    with client_of(house, new_secret("api")) as other, pytest.raises(openai.AuthenticationError) as wrong:
        other.responses.create(**asked(SCRIPTED))
    with pytest.raises(openai.NotFoundError) as unknown:
        client.responses.create(**asked("gpt-from-nowhere"))
    answer = house.get("/v1/responses", headers=())

    assert (wrong.value.code, unknown.value.code) == ("invalid_api_key", "model_not_found")
    assert (answer.status, answer.json["error"]["type"]) == (405, "invalid_request_error")
    assert answer.header("x-request-id") == answer.header("request-id")


def test_a_limit_that_is_reached_is_told_in_openais_words(house: House) -> None:
    tenant = house.tenant(limits={"requests_per_minute": 1})

    with client_of(house, tenant.key) as client:
        raw = client.responses.with_raw_response.create(**asked(SIMULATED[0]))
        with pytest.raises(openai.RateLimitError) as caught:
            client.responses.create(**asked(SIMULATED[0], stream=True))

    refused = caught.value.response.headers
    assert (caught.value.type, caught.value.code) == ("rate_limit_error", "rate_limit_exceeded")
    assert 1 <= int(refused["retry-after"]) <= 60
    for headers in (raw.headers, refused):
        assert headers["x-ratelimit-limit-requests"] == "1"
        assert headers["x-ratelimit-remaining-requests"] == "0"
        assert headers["anthropic-ratelimit-requests-remaining"] == "0"


# --- The ledger --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", BOTH)
def test_the_ledger_holds_the_providers_figures_under_the_catalogs_name(
    house: House, upstream: Upstream, model: str, stream: bool
) -> None:
    script = upstream.script(script_of(model, HELLO, stream=stream))

    answer = post(house, asked(model, script, stream=stream), headers=[("session_id", "codex-7")])
    event = house.usage(answer.header("request-id"))

    assert (event.endpoint, event.model, event.upstream_model) == ("responses", model, "upstream-model")
    assert (event.usage.input_tokens, event.usage.cache_read_tokens, event.usage.output_tokens) == (20, 5, 12)
    assert (event.usage_source, event.stream, event.status) == ("reported", stream, 200)
    assert (event.stop_reason, event.session_id, event.error_type) == ("end_turn", "codex-7", "")
    assert answer.header("x-request-id") == answer.header("request-id")


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

    raw = client.responses.with_raw_response.create(**asked(model, script, stream=stream))
    told = raw.parse()

    response = list(told)[-1].response if stream else told
    assert (response.output_text, response.model) == ("Hello from the provider.", model)
    assert (raw.headers["x-gateway-provider"], raw.headers["x-gateway-attempts"]) == (providers[1], "2")


# --- Providers that fail -----------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", [HASTY, HASTY_TRANSLATED])
@pytest.mark.parametrize(
    ("steps", "status"),
    [
        ([Close()], 500),
        (reply(200, b"<html>", content_type="text/html"), 500),
        (reply(200, b'{"type":"message","usage":{}}'), 500),
        (reply(200, b'{"type":"message","usage":{},"content":[{"type":"text","text":5}]}'), 500),
        (reply(200, b""), 500),
    ],
    ids=["closes", "HTML", "no message", "odd content", "nothing"],
)
def test_before_the_first_byte_a_fault_is_an_error_with_a_status(
    house: House, upstream: Upstream, model: str, stream: bool, steps: Script, status: int
) -> None:
    script = upstream.script(steps)

    answer = post(house, asked(model, script, stream=stream))
    event = house.usage(answer.header("request-id"))

    assert (answer.status, answer.complete) == (status, True)
    assert answer.json["error"]["type"] == "server_error"
    assert "in the gateway" not in answer.json["error"]["message"]  # the fault is the provider's
    assert event.status == status


@pytest.mark.parametrize("model", [HASTY, HASTY_TRANSLATED])
@pytest.mark.parametrize("fault", FAULTS)
def test_after_the_first_byte_a_fault_ends_in_response_failed(
    house: House, upstream: Upstream, model: str, fault: str
) -> None:
    script = upstream.script(begun(model), Pause(0.1), FAULTS[fault])

    answer = post(house, asked(model, script, stream=True))
    events = [_event.validate_python(event) for event in events_of(answer)]
    settled = house.usage(answer.header("request-id"))

    assert (answer.status, answer.complete) == (200, True)
    assert events[0].type == "response.created"
    assert any(event.type == "response.output_text.delta" for event in events)
    last = events[-1]
    assert last.type == "response.failed"
    assert (last.response.status, last.response.error and last.response.error.code) == (
        "failed",
        "server_error",
    )
    assert (settled.usage_source, settled.status) == ("estimated", 504 if fault == "hangs" else 500)


@pytest.mark.parametrize(
    ("model", "frame", "code"),
    [
        (SCRIPTED, provider.frame(provider.error("rate_limit_error", "Slow down")), "rate_limit_exceeded"),
        (
            TRANSLATED,
            chat.frame(chat.error("Slow down", "rate_limit_error", "rate_limit_exceeded")),
            "rate_limit_exceeded",
        ),
    ],
    ids=BOTH,
)
def test_an_error_within_a_stream_is_told_by_openais_code(
    client: openai.OpenAI, upstream: Upstream, model: str, frame: bytes, code: str
) -> None:
    script = upstream.script(begun(model), Pause(0.1), Send(chunk(frame)), Send(LAST_CHUNK))

    response = whole_of(client, stream=True, **asked(model, script))

    assert response.status == "failed"
    assert response.error is not None and response.error.code == code


@pytest.mark.parametrize("model", BOTH)
def test_silence_is_filled_with_comments_that_the_sdk_passes_over(
    house: House, client: openai.OpenAI, upstream: Upstream, model: str
) -> None:
    script = upstream.script(begun(model), Pause(0.6), the_rest(model))

    raw = post(house, asked(model, script, stream=True))
    response = whole_of(client, stream=True, **asked(model, script))

    assert raw.body.count(b": ping\n\n") >= 1
    assert response.output_text == "Hello from the provider."


@pytest.mark.parametrize("model", BOTH)
def test_a_client_that_leaves_cuts_the_provider_off_and_is_settled_as_an_estimate(
    house: House, upstream: Upstream, model: str
) -> None:
    tenant = house.tenant()
    script = upstream.script(begun(model), Hang())

    with client_of(house, tenant.key) as client:
        stream = client.responses.create(**asked(model, script, stream=True))
        next(iter(stream))
        time.sleep(0.15)
        stream.close()
    (received,) = upstream.received(script)
    assert received.closed.wait(3)
    event = settled_for(house, tenant)

    assert (event.usage_source, event.status, event.error_type) == ("estimated", 499, "client_closed")
    assert (event.endpoint, event.usage.output_tokens >= 1) == ("responses", True)


@pytest.mark.parametrize("suffix", ["/v1/", "/v1/v1"])
def test_a_base_url_that_says_v1_once_or_twice(house: House, suffix: str) -> None:
    with client_of(house, path=suffix) as client:
        assert client.responses.create(**asked(SCRIPTED)).output_text == "Hello from the provider."
