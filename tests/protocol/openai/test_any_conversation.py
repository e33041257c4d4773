"""What holds for every conversation that a client may send, whatever stands in it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
from pydantic import TypeAdapter

from gateway.protocol.openai.profile import (
    DEEPSEEK,
    DEFAULT,
    GEMINI,
    MISTRAL,
    OPENAI,
    OPENAI_REASONING,
    Profile,
)
from tests.protocol.openai.writing import written

PROFILES = [DEFAULT, OPENAI, OPENAI_REASONING, DEEPSEEK, MISTRAL, GEMINI]

_words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5)
_text = st.builds(lambda words: {"type": "text", "text": words}, _words)
_image = st.just(
    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0="}}
)
_thinking = st.builds(
    lambda words, signature: {"type": "thinking", "thinking": words, "signature": signature},
    _words,
    st.sampled_from(["", "U0lHTkFUVVJF"]),
)
_said_by_user = st.lists(_text | _image, max_size=3)
_result_content = st.none() | _words | st.lists(_text | _image, max_size=3)


@st.composite
def conversations(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Turns of both sides; results come in any order, among other blocks, and some are missing."""
    turns: list[dict[str, Any]] = [{"role": "user", "content": "Begin"}]
    for number in range(draw(st.integers(0, 4))):
        ids = [f"toolu_{number}_{at}" for at in range(draw(st.integers(0, 3)))]
        calls = [{"type": "tool_use", "id": each, "name": "read", "input": {"at": each}} for each in ids]
        said = draw(st.lists(_text | _thinking, max_size=3))
        answered = [each for each in ids if draw(st.booleans())]
        results = [
            {
                "type": "tool_result",
                "tool_use_id": each,
                "content": draw(_result_content),
                "is_error": draw(st.booleans()),
            }
            for each in answered
        ]
        turns.append({"role": "assistant", "content": [*said, *calls]})
        turns.append({"role": "user", "content": draw(st.permutations(results + draw(_said_by_user)))})
    return turns


@settings(max_examples=60, deadline=None)
@given(conversations(), st.sampled_from(PROFILES))
def test_every_call_is_answered_right_after_it_in_order_and_once(
    turns: list[dict[str, Any]], profile: Profile
) -> None:
    messages = json.loads(written(messages=turns, profile=profile).body)["messages"]
    expected: list[str] = []
    for message in messages:
        if message["role"] == "tool":
            assert message["tool_call_id"] == expected.pop(0)
            assert message["content"]
        else:
            assert expected == []
            expected = [call["id"] for call in message.get("tool_calls", [])]
            assert message["content"] or expected or message.get("reasoning_content")
    assert expected == []


@settings(max_examples=60, deadline=None)
@given(conversations(), st.sampled_from(PROFILES))
def test_every_image_arrives_and_no_signature_does(turns: list[dict[str, Any]], profile: Profile) -> None:
    body = written(messages=turns, profile=profile).body
    assert body.count(b'"image_url":{') == json.dumps(turns).count('"type": "image"')
    assert b"U0lHTkFUVVJF" not in body


@pytest.mark.parametrize("profile", PROFILES)
@settings(max_examples=10, deadline=None)
@given(turns=conversations())
def test_the_openai_sdk_knows_every_field_that_is_sent(profile: Profile, turns: list[dict[str, Any]]) -> None:
    request = written(
        messages=turns,
        profile=profile,
        system="Be kind.",
        tools=[
            {"name": "read", "input_schema": {"type": "object", "properties": {"at": {"type": "string"}}}}
        ],
        tool_choice={"type": "tool", "name": "read", "disable_parallel_tool_use": True},
        output_config={"effort": "high", "format": {"type": "json_schema", "schema": {"type": "object"}}},
        stop_sequences=["END"],
        temperature=0.5,
        metadata={"user_id": "uma"},
    )
    SDK.validate_json(request.body)


SDK: TypeAdapter[Any] = TypeAdapter(CompletionCreateParamsNonStreaming)
