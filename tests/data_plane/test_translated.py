"""An Anthropic client at a provider of the OpenAI dialect, over real sockets."""

from __future__ import annotations

import anthropic
import pytest

from tests import openai_provider as chat
from tests import upstream as provider
from tests.data_plane.house import PROVIDER_KEY, TRANSLATED, House, body
from tests.upstream import Upstream

WEATHER = {
    "name": "get_weather",
    "description": "The weather in a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


@pytest.fixture
def client(house: House) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=house.base_url, api_key=house.key, max_retries=0)


def test_the_request_goes_to_the_providers_chat_completions_with_its_key_and_its_name_of_the_model(
    house: House, upstream: Upstream
) -> None:
    script = upstream.script(provider.reply(200, chat.completion()))

    answer = house.post(body(TRANSLATED, script), headers=[("anthropic-beta", "a-beta-2026-01-01")])
    (received,) = upstream.received(script)

    assert answer.status == 200
    assert (received.method, received.target) == ("POST", "/v1/chat/completions")
    assert received.header("authorization") == f"Bearer {PROVIDER_KEY}"
    assert [name for name, _ in received.headers if name.startswith(("anthropic-", "x-api-key"))] == []
    assert received.json["model"] == "upstream-model"
    assert received.json["messages"] == [{"role": "user", "content": f"Hello {script}"}]
    assert received.json["max_tokens"] == 100


def test_a_whole_answer_is_a_message_of_the_catalogs_model(
    client: anthropic.Anthropic, upstream: Upstream
) -> None:
    script = upstream.script(provider.reply(200, chat.completion()))

    message = client.messages.create(**body(TRANSLATED, script))

    assert message.model == TRANSLATED
    assert [block.text for block in message.content if block.type == "text"] == ["Hello from the provider."]
    assert (message.stop_reason, message.usage.input_tokens, message.usage.output_tokens) == (
        "end_turn",
        20,
        12,
    )
    assert message.usage.cache_read_input_tokens == 5


def test_a_stream_is_told_as_it_comes(client: anthropic.Anthropic, upstream: Upstream) -> None:
    script = upstream.script(provider.streamed(chat.frames(), delay=0.01))

    with client.messages.stream(**body(TRANSLATED, script)) as stream:
        pieces = list(stream.text_stream)
        message = stream.get_final_message()

    assert pieces == ["Hello", " from", " the", " provider."]
    assert message.model == TRANSLATED
    assert (message.stop_reason, message.usage.input_tokens, message.usage.output_tokens) == (
        "end_turn",
        20,
        12,
    )


@pytest.mark.parametrize("stream", [False, True])
def test_the_ledger_holds_the_providers_figures_under_the_catalogs_name(
    house: House, upstream: Upstream, stream: bool
) -> None:
    script = upstream.script(
        provider.streamed(chat.frames()) if stream else provider.reply(200, chat.completion())
    )

    answer = house.post(body(TRANSLATED, script, stream=stream))
    event = house.usage(answer.header("request-id"))

    assert (event.model, event.upstream_model, event.provider) == (TRANSLATED, "upstream-model", "translated")
    assert (event.usage.input_tokens, event.usage.cache_read_tokens, event.usage.output_tokens) == (20, 5, 12)
    assert (event.usage_source, event.stream, event.stop_reason) == ("reported", stream, "end_turn")


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_without_usage_is_recorded_as_estimated(
    house: House, upstream: Upstream, stream: bool
) -> None:
    whole = {name: value for name, value in chat.completion().items() if name != "usage"}
    script = upstream.script(
        provider.streamed(chat.frames(chat.chunks(usage=None))) if stream else provider.reply(200, whole)
    )

    answer = house.post(body(TRANSLATED, script, stream=stream))
    event = house.usage(answer.header("request-id"))

    assert (event.usage_source, event.usage.output_tokens) == ("estimated", 6)
    assert event.usage.input_tokens > 0


def test_a_tool_turn_goes_both_ways(client: anthropic.Anthropic, upstream: Upstream) -> None:
    asks = chat.completion(
        None, finish_reason="tool_calls", tool_calls=[chat.call("get_weather", {"city": "Rome"}, "call_7")]
    )
    first = upstream.script(provider.reply(200, asks))
    asked = client.messages.create(**body(TRANSLATED, first, tools=[WEATHER]))
    second = upstream.script(provider.reply(200, chat.completion("It is sunny.")))

    (use,) = asked.content
    assert use.type == "tool_use"
    result = {"type": "tool_result", "tool_use_id": use.id, "content": "sunny"}
    turns = [
        {"role": "user", "content": f"Weather? {second}"},
        {"role": "assistant", "content": [use.to_dict()]},
        {"role": "user", "content": [result]},
    ]
    told = client.messages.create(model=TRANSLATED, max_tokens=100, messages=turns, tools=[WEATHER])  # type: ignore[arg-type]
    (received,) = upstream.received(second)

    assert (asked.stop_reason, use.name, use.input) == ("tool_use", "get_weather", {"city": "Rome"})
    assert [block.text for block in told.content if block.type == "text"] == ["It is sunny."]
    assert received.json["messages"][1:] == [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [chat.call("get_weather", '{"city":"Rome"}', "call_7")],
        },
        {"role": "tool", "content": "sunny", "tool_call_id": "call_7"},
    ]


def test_what_cannot_be_carried_is_refused_by_name_and_no_provider_is_asked(
    house: House, upstream: Upstream
) -> None:
    script = upstream.script(provider.reply(200, chat.completion()))
    tool = {"type": "web_search_20250305", "name": "web_search"}

    answer = house.post(body(TRANSLATED, script, tools=[tool]))

    assert (answer.status, answer.json["error"]["type"]) == (400, "invalid_request_error")
    assert "web_search_20250305" in answer.json["error"]["message"]
    assert upstream.received(script) == []


def test_what_is_left_out_is_named_in_a_header(house: House, upstream: Upstream) -> None:
    script = upstream.script(provider.reply(200, chat.completion()))

    answer = house.post(body(TRANSLATED, script, service_tier="auto", top_k=5))

    assert (answer.status, answer.header("x-gateway-dropped")) == (200, "service_tier, top_k")


def test_more_output_than_the_model_gives_is_clamped(house: House, upstream: Upstream) -> None:
    script = upstream.script(provider.reply(200, chat.completion()))

    answer = house.post(body(TRANSLATED, script) | {"max_tokens": 200_000})
    (received,) = upstream.received(script)

    assert (answer.status, received.json["max_tokens"]) == (200, 64_000)


@pytest.mark.parametrize("stream", [False, True])
def test_no_output_asked_for_is_answered_without_the_provider(
    client: anthropic.Anthropic, upstream: Upstream, stream: bool
) -> None:
    script = upstream.script(provider.reply(200, chat.completion()))
    asked = body(TRANSLATED, script) | {"max_tokens": 0}

    if stream:
        with client.messages.stream(**asked) as events:
            message = events.get_final_message()
    else:
        message = client.messages.create(**asked)

    assert (message.content, message.stop_reason, message.usage.output_tokens) == ([], "max_tokens", 0)
    assert upstream.received(script) == []


def test_an_answer_that_nobody_had_to_give_names_no_provider(house: House) -> None:
    answer = house.post(body(TRANSLATED) | {"max_tokens": 0})

    assert (answer.status, answer.header("x-gateway-provider"), answer.header("x-gateway-attempts")) == (
        200,
        None,
        None,
    )


def test_tokens_are_counted_by_estimate(client: anthropic.Anthropic) -> None:
    count = client.messages.count_tokens(
        model=TRANSLATED, messages=[{"role": "user", "content": "Hello there"}]
    )

    assert 3 <= count.input_tokens <= 20


OVERFLOW = (
    "This model's maximum context length is 128000 tokens. However, your messages resulted in 130000 tokens."
)
REFUSALS = [
    (400, chat.error("Bad tool schema"), 400, "invalid_request_error", "Bad tool schema"),
    (422, chat.error("Not processable"), 400, "invalid_request_error", "Not processable"),
    (
        400,
        chat.error(OVERFLOW, code="context_length_exceeded"),
        400,
        "invalid_request_error",
        "prompt is too long: 130000 tokens > 128000 maximum",
    ),
    (401, chat.error("Incorrect API key provided: sk-p***"), 500, "api_error", None),
    (403, chat.error("No access"), 500, "api_error", None),
    (402, chat.error("Pay first"), 529, "overloaded_error", None),
    (429, chat.error("Quota", code="insufficient_quota"), 529, "overloaded_error", None),
    (404, chat.error("No such model"), 404, "not_found_error", "No such model"),
    (413, chat.error("Too large"), 413, "request_too_large", "Too large"),
    (429, chat.error("Slow down", "rate_limit_error"), 429, "rate_limit_error", None),
    (408, chat.error("Late"), 504, "timeout_error", None),
    (504, b"<html>gateway timeout</html>", 504, "timeout_error", None),
    (500, chat.error("Oops", "server_error"), 500, "api_error", None),
    (502, b"<html>bad gateway</html>", 500, "api_error", None),
    (503, chat.error("Busy", "server_error"), 529, "overloaded_error", None),
]


@pytest.mark.parametrize(("status", "said", "told", "kind", "message"), REFUSALS)
@pytest.mark.parametrize("stream", [False, True])
def test_a_refusal_wears_anthropics_envelope(
    house: House,
    upstream: Upstream,
    stream: bool,
    status: int,
    said: object,
    told: int,
    kind: str,
    message: str | None,
) -> None:
    script = upstream.script(provider.reply(status, said))

    answer = house.post(body(TRANSLATED, script, stream=stream))

    assert (answer.status, answer.json["type"], answer.json["error"]["type"]) == (told, "error", kind)
    assert answer.json["request_id"] == answer.header("request-id")
    assert message is None or answer.json["error"]["message"] == message
    assert "sk-p" not in answer.body.decode()
