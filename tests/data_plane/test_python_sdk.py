"""The official Python SDK, newest version, with nothing changed but its base_url."""

from __future__ import annotations

import asyncio

import anthropic
import pytest
from anthropic import Anthropic, AsyncAnthropic, beta_tool
from anthropic.types import MessageParam

from gateway.credentials import new_secret
from tests import upstream as provider
from tests.data_plane.house import ALIASES, HASTY, SCRIPTED, SIMULATED, House
from tests.upstream import Close, Send, Upstream, chunk, stream_head

WEATHER = {
    "name": "get_weather",
    "description": "The weather of a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


@pytest.fixture
def client(house: House) -> Anthropic:
    return Anthropic(base_url=house.base_url, api_key=house.key, max_retries=0)


def said(text: str) -> list[MessageParam]:
    return [{"role": "user", "content": text}]


def test_a_message(client: Anthropic) -> None:
    message = client.messages.create(model=SIMULATED[0], max_tokens=200, messages=said("Hello"))

    assert message.content[0].type == "text" and "simulated" in message.content[0].text
    assert (message.role, message.stop_reason, message.model) == ("assistant", "end_turn", SIMULATED[0])
    assert message.usage.output_tokens > 0
    assert message._request_id and message._request_id.startswith("req_")


@pytest.mark.parametrize("how", ["api_key", "auth_token"])
@pytest.mark.parametrize("suffix", ["", "/", "/v1"])
def test_either_credential_and_any_base_url(house: House, how: str, suffix: str) -> None:
    with Anthropic(base_url=house.base_url + suffix, max_retries=0, **{how: house.key}) as client:
        assert (
            client.messages.create(model=SCRIPTED, max_tokens=5, messages=said("Hi")).id == "msg_01Provider"
        )


def test_an_asynchronous_message_and_stream(house: House) -> None:
    async def ask() -> tuple[str, str]:
        async with AsyncAnthropic(base_url=house.base_url, api_key=house.key, max_retries=0) as client:
            message = await client.messages.create(model=SIMULATED[0], max_tokens=200, messages=said("Hello"))
            async with client.messages.stream(
                model=SIMULATED[0], max_tokens=200, messages=said("Hello")
            ) as stream:
                parts = [part async for part in stream.text_stream]
            assert len(parts) > 3
            assert message.content[0].type == "text"
            return message.content[0].text, "".join(parts)

    whole, streamed = asyncio.run(ask())

    assert whole == streamed


def test_a_stream_of_raw_events(client: Anthropic) -> None:
    events = list(client.messages.create(model=SCRIPTED, max_tokens=50, messages=said("Hello"), stream=True))

    assert [event.type for event in events] == [
        "message_start",
        "content_block_start",
        *["content_block_delta"] * 4,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]


def test_a_stream_helper_builds_the_final_message(client: Anthropic) -> None:
    with client.messages.stream(model=SCRIPTED, max_tokens=50, messages=said("Hello")) as stream:
        final = stream.get_final_message()

    assert final.content[0].type == "text" and final.content[0].text == "Hello from the provider."
    assert (final.usage.input_tokens, final.usage.output_tokens) == (25, 12)


def test_a_tool_is_called_and_its_result_taken(client: Anthropic) -> None:
    tools = [WEATHER]
    asked = said("How is the weather?")

    first = client.messages.create(
        model=SIMULATED[0], max_tokens=300, messages=asked, tools=tools, tool_choice={"type": "any"}
    )
    (call,) = [block for block in first.content if block.type == "tool_use"]
    result: MessageParam = {
        "role": "user",
        "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "21 degrees"}],
    }
    second = client.messages.create(
        model=SIMULATED[0],
        max_tokens=300,
        messages=[*asked, {"role": "assistant", "content": first.content}, result],
        tools=tools,
    )

    assert (first.stop_reason, call.name, call.input) == (
        "tool_use",
        "get_weather",
        {"city": "simulated city"},
    )
    assert second.content[0].type == "text" and "21 degrees" in second.content[0].text


def test_a_tool_runner_runs_to_the_end(client: Anthropic) -> None:
    called: list[str] = []

    @beta_tool
    def look_up(word: str) -> str:
        """Look a word up.

        Args:
            word: The word.
        """
        called.append(word)
        return f"{word} means something"

    runner = client.beta.messages.tool_runner(
        model=SIMULATED[0], max_tokens=300, tools=[look_up], messages=said("Please use look_up now")
    )
    final = runner.until_done()

    assert called == ["simulated word"]
    assert "means something" in final.content[0].text


def test_tool_use_and_thinking_stream(client: Anthropic) -> None:
    with client.messages.stream(
        model=SIMULATED[0],
        max_tokens=4_000,
        thinking={"type": "enabled", "budget_tokens": 1_024},
        tools=[WEATHER],
        messages=said("use get_weather"),
    ) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_message()

    assert [block.type for block in final.content] == ["thinking", "tool_use"]
    assert {"thinking", "signature", "input_json"} <= kinds


def test_counting_tokens_and_models(client: Anthropic) -> None:
    count = client.messages.count_tokens(model=SIMULATED[0], messages=said("Hello"))
    models = list(client.models.list(limit=3))
    one = client.models.retrieve(ALIASES[0])

    assert count.input_tokens > 0
    assert {SCRIPTED, *SIMULATED} <= {model.id for model in models}
    assert (one.id, one.display_name, one.type) == (SCRIPTED, "The scripted one", "model")


def test_raw_responses_show_our_headers(client: Anthropic) -> None:
    raw = client.messages.with_raw_response.create(model=SCRIPTED, max_tokens=5, messages=said("Hi"))

    assert raw.headers["request-id"].startswith("req_") and raw.parse().id == "msg_01Provider"
    with client.messages.with_streaming_response.create(
        model=SCRIPTED, max_tokens=5, messages=said("Hi"), stream=True
    ) as streamed:
        assert streamed.headers["request-id"].startswith("req_")
        assert b"message_stop" in streamed.read()


def test_extra_fields_and_betas_reach_the_provider(client: Anthropic, upstream: Upstream) -> None:
    script = upstream.script(provider.reply(200, provider.message()))

    client.beta.messages.create(
        model=SCRIPTED,
        max_tokens=5,
        messages=said(script),
        betas=["a-beta"],
        extra_body={"from_tomorrow": {"x": 1}},
    )
    (received,) = upstream.received(script)

    assert received.header("anthropic-beta") == "a-beta"
    assert received.json["from_tomorrow"] == {"x": 1}


def test_errors_are_the_sdks_own_classes(house: House, client: Anthropic) -> None:
    with pytest.raises(anthropic.NotFoundError) as missing:
        client.messages.create(model="claude-from-nowhere", max_tokens=5, messages=said("Hi"))
    with pytest.raises(anthropic.BadRequestError) as bad:
        client.messages.create(model=SCRIPTED, max_tokens=-1, messages=said("Hi"))
    with pytest.raises(anthropic.AuthenticationError):
        Anthropic(base_url=house.base_url, api_key="nonsense", max_retries=0).models.list()
    tight = house.tenant(limits={"requests_per_minute": 1})
    limited = Anthropic(base_url=house.base_url, api_key=tight.key, max_retries=0)
    limited.messages.create(model=SCRIPTED, max_tokens=5, messages=said("Hi"))
    with pytest.raises(anthropic.RateLimitError) as refused:
        limited.messages.create(model=SCRIPTED, max_tokens=5, messages=said("Hi"))

    assert missing.value.request_id == missing.value.response.headers["request-id"]
    assert missing.value.body == {
        "type": "error",
        "error": {"type": "not_found_error", "message": "model: claude-from-nowhere"},
        "request_id": missing.value.request_id,
    }
    assert "max_tokens" in bad.value.message
    assert int(refused.value.response.headers["retry-after"]) >= 1


def test_an_error_within_a_stream_is_raised(client: Anthropic, upstream: Upstream) -> None:
    begun = b"".join(map(chunk, provider.frames()[:4]))
    script = upstream.script(Send(stream_head() + begun), Close())

    with (
        pytest.raises(anthropic.APIStatusError),
        client.messages.stream(model=HASTY, max_tokens=5, messages=said(script)) as stream,
    ):
        stream.until_done()


def test_the_sdks_own_retries_meet_a_recovered_provider(house: House, upstream: Upstream) -> None:
    patient = Anthropic(base_url=house.base_url, api_key=house.key, max_retries=2)
    busy = upstream.script(
        provider.reply(529, provider.error("overloaded_error", "Busy"), ("retry-after", "0"))
    )

    with pytest.raises(anthropic.APIStatusError):
        patient.messages.create(model=SCRIPTED, max_tokens=5, messages=said(busy))

    assert len(upstream.received(busy)) == 3


def test_a_client_that_stops_reading_a_stream_cuts_the_provider_off(
    client: Anthropic, upstream: Upstream
) -> None:
    script = upstream.script(provider.streamed(provider.frames() * 50, delay=0.05))

    with client.messages.stream(model=SCRIPTED, max_tokens=5, messages=said(script)) as stream:
        next(iter(stream.text_stream))
    client.close()
    (received,) = upstream.received(script)

    assert received.closed.wait(2)


def test_an_unknown_key_is_an_authentication_error(house: House) -> None:
    stranger = Anthropic(base_url=house.base_url, api_key=new_secret("api"), max_retries=0)

    with pytest.raises(anthropic.AuthenticationError):
        stranger.messages.create(model=SCRIPTED, max_tokens=5, messages=said("Hi"))
