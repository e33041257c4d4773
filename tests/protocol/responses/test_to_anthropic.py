"""All of a request but its conversation and its tools."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.protocol.anthropic.families import OPEN, family_of
from gateway.protocol.responses.thoughts import Thinking, sealed
from gateway.protocol.responses.to_anthropic import output_length
from tests.protocol.responses.writing import refusal, request, sent, written

SONNET_4_5 = family_of("claude-sonnet-4-5")
OPUS_4_8 = family_of("claude-opus-4-8")
HAIKU_3 = family_of("claude-3-haiku-20240307")
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
TOOL = {"type": "function", "name": "read"}


def test_the_least_that_is_sent() -> None:
    assert sent() == {
        "model": "claude-x",
        "max_tokens": 32_000,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}],
    }


@pytest.mark.parametrize(
    ("asked", "most", "length"),
    [(None, None, 32_000), (None, 8192, 8192), (100, 8192, 100), (9000, 8192, 8192)],
)
def test_the_length_is_what_was_asked_or_enough_for_an_agent(
    asked: int | None, most: int | None, length: int
) -> None:
    assert output_length(request(max_output_tokens=asked), most) == length


def test_what_only_steers_openai_is_ignored() -> None:
    ignored = written(
        store=True,
        include=["reasoning.encrypted_content"],
        truncation="auto",
        service_tier="auto",
        metadata={"a": "b"},
        text={"verbosity": "low"},
        client_metadata={"thread_id": "1"},
        stream_options={"include_obfuscation": False},
    )

    assert (ignored.dropped, ignored.body) == ((), written().body)


def test_streaming_is_asked_for() -> None:
    assert sent(stream=True)["stream"] is True


@pytest.mark.parametrize(
    ("effort", "family", "expected"),
    [
        ("high", OPUS_4_8, {"thinking": {"type": "adaptive", "display": "summarized"}, "effort": "high"}),
        ("minimal", OPUS_4_8, {"thinking": {"type": "adaptive", "display": "summarized"}, "effort": "low"}),
        ("none", OPUS_4_8, {"thinking": {"type": "disabled"}}),
        ("high", SONNET_4_5, {"thinking": {"type": "enabled", "budget_tokens": 4096}}),
        ("xhigh", OPEN, {"effort": "xhigh"}),
        ("high", HAIKU_3, {}),
        (None, OPUS_4_8, {}),
    ],
)
def test_the_effort_is_told_as_the_model_understands_it(
    effort: str | None, family: Any, expected: dict[str, Any]
) -> None:
    body = sent(reasoning={"effort": effort, "summary": "auto"}, family=family)

    told = {"thinking": body.get("thinking"), "effort": body.get("output_config", {}).get("effort")}
    assert {name: value for name, value in told.items() if value} == expected


def test_an_effort_that_cannot_be_told_is_named() -> None:
    assert written(reasoning={"effort": "high"}, family=HAIKU_3).dropped == ("reasoning.effort",)


def test_a_forced_tool_forbids_thinking() -> None:
    forced = written(reasoning={"effort": "high"}, tools=[TOOL], tool_choice="required")

    assert (b"thinking" in forced.body, forced.dropped) == (False, ("reasoning.effort",))


@pytest.mark.parametrize(("signature", "thinks"), [("c2lnbmVk", True), ("", False)])
def test_a_budget_goes_on_after_calls_only_where_the_turn_began_with_a_thought(
    signature: str, thinks: bool
) -> None:
    items = [
        {"role": "user", "content": "Look."},
        {"type": "reasoning", "summary": [], "encrypted_content": sealed(Thinking("Hm.", signature))},
        {"type": "function_call", "call_id": "call_1", "name": "read", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": "A"},
    ]

    body = sent(input=items, tools=[TOOL], reasoning={"effort": "high"}, family=SONNET_4_5)

    assert ("thinking" in body, len(body["messages"][1]["content"])) == (thinks, 1 + thinks)


def test_sampling_is_what_the_model_allows() -> None:
    fields = {"temperature": 1.5, "top_p": 0.5}

    bodies = [sent(family=family, **fields) for family in (HAIKU_3, SONNET_4_5, OPUS_4_8, OPEN)]
    asked = [(body.get("temperature"), body.get("top_p")) for body in bodies]

    assert asked == [(1.0, 0.5), (1.0, None), (None, None), (1.5, 0.5)]
    assert written(family=OPUS_4_8, **fields).dropped == ("temperature", "top_p")


def test_a_schema_is_enforced_or_told() -> None:
    format_ = {"type": "json_schema", "name": "answer", "schema": SCHEMA, "strict": True}

    enforced = sent(text={"format": format_}, family=OPUS_4_8)
    told = sent(text={"format": format_}, family=HAIKU_3)
    as_it_is = sent(text={"format": format_}, family=OPEN)

    closed = SCHEMA | {"additionalProperties": False}
    assert enforced["output_config"] == {"format": {"type": "json_schema", "schema": closed}}
    assert told["system"].endswith(
        'It follows this JSON schema:\n{"type": "object", "properties": {"a": {"type": "integer"}}, '
        '"required": ["a"]}'
    )
    assert as_it_is["output_config"] == {"format": {"type": "json_schema", "schema": SCHEMA}}


def test_any_json_object_is_told() -> None:
    body = sent(instructions="Be kind.", text={"format": {"type": "json_object"}})

    assert body["system"] == (
        "Be kind.\nAnswer with one JSON object and nothing else: no other words and no code fence."
    )


@pytest.mark.parametrize("fields", [{"user": "u1"}, {"safety_identifier": "u1", "user": "u2"}])
def test_the_user_is_named(fields: dict[str, str]) -> None:
    assert sent(**fields)["metadata"] == {"user_id": "u1"}


def test_who_names_a_cache_gets_one_from_anthropic() -> None:
    assert sent(prompt_cache_key="thread_1")["cache_control"] == {"type": "ephemeral"}
    assert "cache_control" not in sent(prompt_cache_key="thread_1", family=OPEN)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"temperature": 3}, "temperature: Input should be between 0 and 2"),
        ({"top_p": -1}, "top_p: Input should be between 0 and 1"),
        (
            {"text": {"format": {"type": "xml"}}},
            "text.format.type: Input should be 'text', 'json_object' or 'json_schema'",
        ),
        ({"text": {"format": {"type": "json_schema"}}}, "text.format.schema: Input should be an object"),
        (
            {"reasoning": {"effort": "ultra"}},
            "reasoning.effort: Input should be 'none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'",
        ),
        ({"instructions": ["x"]}, "instructions: Expected `str | null`, got `array`"),
    ],
)
def test_a_setting_that_nobody_has_is_refused(fields: dict[str, Any], message: str) -> None:
    assert refusal(**fields) == message
