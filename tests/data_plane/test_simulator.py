"""The built-in provider, met through the gateway."""

from __future__ import annotations

import pytest

from tests import stream_grammar
from tests.data_plane.house import SIMULATED, House, body

WEATHER = {
    "name": "get_weather",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


@pytest.mark.parametrize("model", SIMULATED)
def test_a_simulated_model_answers_and_says_that_it_is_simulated(house: House, model: str) -> None:
    answer = house.post(body(model))

    assert (answer.status, answer.json["model"]) == (200, model)
    assert "simulated" in answer.json["content"][0]["text"]
    assert '"Hello"' in answer.json["content"][0]["text"]
    assert (answer.header("request-id") or "").startswith("req_")


def test_a_simulated_stream_keeps_the_grammar_and_says_the_same(house: House) -> None:
    asked = body(SIMULATED[0], thinking={"type": "adaptive"}, max_tokens=2_000)

    whole = house.post(asked).json
    streamed = house.post({**asked, "stream": True})

    events = stream_grammar.read(streamed.body)
    assert stream_grammar.text_of(events) == whole["content"][1]["text"]
    assert len(streamed.arrivals) > 5
    assert (streamed.header("content-type") or "").startswith("text/event-stream")


def test_a_simulated_model_uses_a_demanded_tool(house: House) -> None:
    answer = house.post(body(SIMULATED[0], tools=[WEATHER], tool_choice={"type": "any"}))

    assert answer.json["stop_reason"] == "tool_use"
    assert answer.json["content"][0]["input"] == {"city": "simulated city"}


@pytest.mark.parametrize("stream", [False, True])
def test_what_a_provider_would_refuse_the_simulator_refuses(house: House, stream: bool) -> None:
    answer = house.post(body(SIMULATED[0], messages=[{"role": "robot", "content": "x"}], stream=stream))

    assert answer.status == 400
    assert answer.json == {
        "type": "error",
        "error": {
            "type": "invalid_request_error",
            "message": "messages.0.role: Input should be 'user' or 'assistant'",
        },
        "request_id": answer.header("request-id"),
    }


def test_the_newer_version_refuses_sampling_parameters(house: House) -> None:
    newer = [("anthropic-version", "2026-10-21"), ("content-type", "application/json")]

    assert house.post(body(SIMULATED[0], temperature=1)).status == 200
    answer = house.post(body(SIMULATED[0], temperature=1), usual=newer)
    assert (answer.status, answer.json["error"]["message"]) == (
        400,
        "temperature: Extra inputs are not permitted",
    )
