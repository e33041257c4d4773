"""Everything of a request beside its conversation, on its way to a provider of the OpenAI dialect."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from gateway.errors import InvalidRequest
from gateway.protocol.anthropic.request import message_request
from gateway.protocol.body import parse
from gateway.protocol.openai.profile import (
    DEEPSEEK,
    GEMINI,
    LOCAL,
    OPENAI,
    OPENAI_REASONING,
    Profile,
)
from gateway.protocol.openai.request import openai_request
from tests.protocol.openai.writing import refusal, sent, written

SCHEMA = {"type": "object", "properties": {"path": {"type": "string"}}}
CLOSED = SCHEMA | {"required": ["path"], "additionalProperties": False}
READ = {"name": "read", "description": "Read a file", "input_schema": SCHEMA}
LONG = "mcp__" + "a_very_long_server_name_" * 3


def parameters(schema: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return sent(tools=[READ | {"input_schema": schema}], **fields)["tools"][0]["function"]["parameters"]


def test_a_plain_request_holds_nothing_that_was_not_asked_for() -> None:
    request = written()
    assert request.body == (
        b'{"model":"real-model","messages":[{"role":"user","content":"Hello"}],"max_tokens":100}'
    )
    assert (request.tool_names, request.stop_sequences, request.dropped) == ({}, (), ())


@pytest.mark.parametrize(
    ("profile", "wanted", "most", "expected"),
    [
        (Profile(), 100, None, {"max_tokens": 100}),
        (Profile(), 32_000, 8_192, {"max_tokens": 8_192}),
        (Profile(), 0, 8_192, {"max_tokens": 1}),
        (OPENAI, 100, 8_192, {"max_completion_tokens": 100}),
    ],
)
def test_the_length_goes_in_one_field_and_no_further_than_the_model(
    profile: Profile, wanted: int, most: int | None, expected: dict[str, int]
) -> None:
    body = sent(profile=profile, max_tokens=wanted, max_output_tokens=most)
    assert {name: value for name, value in body.items() if name.startswith("max_")} == expected


def test_a_stream_asks_for_usage_where_the_provider_knows_how() -> None:
    assert sent(stream=True)["stream_options"] == {"include_usage": True}
    silent = sent(stream=True, profile=Profile(stream_options=False))
    assert (silent["stream"], "stream_options" in silent) == (True, False)
    assert "stream" not in sent(stream=False)


def test_sampling_is_carried_up_to_two_and_left_out_for_reasoning_models() -> None:
    chosen = {"temperature": 1.7, "top_p": 0.5, "top_k": 40}
    body = sent(**chosen)
    assert (body["temperature"], body["top_p"], "top_k" in body) == (1.7, 0.5, False)
    assert written(**chosen, profile=OPENAI_REASONING).dropped == ("temperature", "top_p", "top_k")
    assert sent(**chosen, profile=LOCAL)["top_k"] == 40


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ({"temperature": 2.5}, "temperature: Input should be between 0 and 2"),
        ({"top_p": -1}, "top_p: Input should be between 0 and 1"),
        ({"temperature": "hot"}, "temperature: Expected `float | null`, got `str`"),
    ],
)
def test_sampling_out_of_range_is_refused_by_name(field: dict[str, Any], message: str) -> None:
    assert refusal(**field) == message


def test_four_stop_sequences_go_out_and_all_are_kept_for_matching() -> None:
    stops = ["\n\n", "a", "b", "", "c", "d", "e"]
    request = written(stop_sequences=stops)
    assert sent(stop_sequences=stops)["stop"] == ["a", "b", "c", "d"]
    assert request.stop_sequences == ("\n\n", "a", "b", "c", "d", "e")
    assert "stop" not in sent(stop_sequences=["\n"])
    assert "stop" not in sent(stop_sequences=stops, profile=OPENAI_REASONING)


@pytest.mark.parametrize(
    ("stops", "message"),
    [
        (["a"] * 257, "stop_sequences: List should have at most 256 items"),
        (["a" * 1_001], "stop_sequences: String should have at most 1000 characters"),
    ],
)
def test_more_stop_sequences_than_can_be_looked_for_are_refused(stops: list[str], message: str) -> None:
    assert refusal(stop_sequences=stops) == message


def test_tools_become_functions() -> None:
    assert sent(tools=[READ | {"type": "custom", "cache_control": {"type": "ephemeral"}}])["tools"] == [
        {"type": "function", "function": {"name": "read", "parameters": SCHEMA, "description": "Read a file"}}
    ]


def test_what_only_anthropic_knows_of_a_tool_is_said_to_be_left_out() -> None:
    tool = READ | {"defer_loading": True, "input_examples": [{"path": "/"}], "strict": True}
    quiet = READ | {"defer_loading": False, "allowed_callers": None, "eager_input_streaming": False}
    assert written(tools=[tool]).dropped == ("tools.defer_loading", "tools.input_examples", "tools.strict")
    assert written(tools=[quiet]).dropped == ()


@pytest.mark.parametrize(
    "kind", ["web_search_20250305", "bash_20250124", "code_execution_20250825", "mcp_toolset"]
)
def test_a_typed_tool_is_refused_by_its_type(kind: str) -> None:
    assert refusal(tools=[READ, {"type": kind, "name": "x"}]) == (
        f"tools.1.type: '{kind}' tools cannot be carried to this model's provider"
    )


def test_a_long_name_is_shortened_alike_in_tools_history_and_choice() -> None:
    used = {"type": "tool_use", "id": "a", "name": LONG, "input": {}}
    fields: dict[str, Any] = {
        "tools": [READ | {"name": LONG}],
        "tool_choice": {"type": "tool", "name": LONG},
        "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": [used]}],
    }
    short = f"{LONG[:55]}_{hashlib.sha256(LONG.encode()).hexdigest()[:8]}"
    body = sent(**fields)
    assert len(short) == 64
    assert body["tools"][0]["function"]["name"] == short
    assert body["tool_choice"] == {"type": "function", "function": {"name": short}}
    assert body["messages"][1]["tool_calls"][0]["function"]["name"] == short
    assert written(**fields).tool_names == {short: LONG}


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"type": "auto"}, ("auto", None)),
        ({"type": "any"}, ("required", None)),
        ({"type": "none"}, ("none", None)),
        ({"type": "tool", "name": "read"}, ({"type": "function", "function": {"name": "read"}}, None)),
        ({"type": "any", "disable_parallel_tool_use": True}, ("required", False)),
        ({"type": "none", "disable_parallel_tool_use": True}, ("none", None)),
    ],
)
def test_every_tool_choice_has_its_equal(choice: dict[str, Any], expected: tuple[object, object]) -> None:
    body = sent(tools=[READ], tool_choice=choice)
    assert (body["tool_choice"], body.get("parallel_tool_calls")) == expected


def test_a_wish_for_one_call_at_a_time_that_a_provider_does_not_know_is_named() -> None:
    choice = {"type": "any", "disable_parallel_tool_use": True}
    request = written(tools=[READ], tool_choice=choice, profile=Profile(parallel_switch=False))
    assert request.dropped == ("tool_choice.disable_parallel_tool_use",)


def test_a_tool_choice_without_tools_is_not_sent() -> None:
    body = sent(tools=[], tool_choice={"type": "any", "disable_parallel_tool_use": True})
    assert sorted(body) == ["max_tokens", "messages", "model"]


def test_a_choice_of_a_tool_that_is_not_there_is_refused() -> None:
    assert refusal(tools=[READ], tool_choice={"type": "tool", "name": "write"}) == (
        "tool_choice.name: Tool 'write' not found in provided tools"
    )


def test_a_schema_gets_what_is_missing_and_loses_what_is_not_its_own() -> None:
    assert parameters({"$schema": "http://json-schema.org/draft-07/schema#", "cache_control": {}}) == {
        "type": "object",
        "properties": {},
    }
    named_alike = {
        "type": "object",
        "properties": {"$schema": {"type": "string"}, "format": {"type": "string"}},
    }
    assert parameters(named_alike) == named_alike
    assert parameters(named_alike, profile=GEMINI) == named_alike


@pytest.mark.parametrize(
    ("schema", "profile", "strict"),
    [
        (CLOSED, OPENAI, True),
        (SCHEMA, OPENAI, None),
        (CLOSED, DEEPSEEK, None),
        (CLOSED | {"properties": {"path": {"type": "object"}}}, OPENAI, None),
    ],
)
def test_strict_is_kept_only_where_the_provider_would_take_it(
    schema: dict[str, Any], profile: Profile, strict: bool | None
) -> None:
    body = sent(tools=[READ | {"input_schema": schema, "strict": True}], profile=profile)
    assert body["tools"][0]["function"].get("strict") == strict


def test_a_strict_family_gets_a_schema_without_references_and_refused_keywords() -> None:
    schema = {
        "type": "object",
        "properties": {
            "at": {"$ref": "#/$defs/Point", "description": "Where"},
            "kind": {"const": "cat"},
            "note": {"type": ["string", "null"], "format": "uri"},
            "size": {"type": "integer", "exclusiveMinimum": 0},
        },
        "patternProperties": {"^x": {"type": "string"}},
        "additionalProperties": False,
        "$defs": {"Point": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Point"}}}},
    }
    assert parameters(schema, profile=GEMINI) == {
        "type": "object",
        "properties": {
            "at": {"type": "object", "properties": {"next": {"type": "object"}}, "description": "Where"},
            "kind": {"enum": ["cat"], "type": "string"},
            "note": {"type": "string", "nullable": True},
            "size": {"type": "integer"},
        },
    }
    assert parameters(schema) == schema


def test_references_that_grow_a_schema_without_end_are_refused() -> None:
    defs: dict[str, Any] = {
        f"d{level}": {"anyOf": [{"$ref": f"#/$defs/d{level + 1}"}] * 10} for level in range(12)
    }
    schema = {"type": "object", "properties": {"x": {"$ref": "#/$defs/d0"}}, "$defs": defs | {"d12": {}}}
    assert refusal(tools=[READ | {"input_schema": schema}], profile=GEMINI) == (
        "tools.0.input_schema: too large for this model's provider"
    )


def test_references_that_lead_on_and_on_are_refused() -> None:
    defs: dict[str, Any] = {f"d{at}": {"items": {"$ref": f"#/$defs/d{at + 1}"}} for at in range(2_000)}
    schema = {"type": "object", "properties": {"x": {"$ref": "#/$defs/d0"}}, "$defs": defs | {"d2000": {}}}
    assert refusal(tools=[READ | {"input_schema": schema}], profile=GEMINI) == (
        "tools.0.input_schema: too large for this model's provider"
    )


@pytest.mark.parametrize(
    ("schema", "profile", "message"),
    [
        ([], OPENAI, "tools.0.input_schema: Input should be an object"),
        ({"$ref": "#/$defs/No"}, GEMINI, "tools.0.input_schema: the reference '#/$defs/No' leads nowhere"),
        ({"$ref": "http://x"}, GEMINI, "tools.0.input_schema: the reference 'http://x' leads nowhere"),
    ],
)
def test_a_schema_that_cannot_be_read_is_refused_with_its_place(
    schema: Any, profile: Profile, message: str
) -> None:
    assert refusal(tools=[READ | {"input_schema": schema}], profile=profile) == message


def test_a_schema_of_odd_parts_is_left_to_the_provider() -> None:
    odd = {"type": "object", "properties": {"a": {"format": {}, "type": [{}]}}, "required": [[]]}
    sent(tools=[READ | {"input_schema": odd, "strict": True}], profile=OPENAI)
    assert parameters(odd, profile=GEMINI)["required"] == [[]]


@pytest.mark.parametrize("profile", [OPENAI, GEMINI])
def test_a_number_beyond_every_range_breaks_nothing(profile: Profile) -> None:
    body = b'{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"Hi"}],"tools":[%s]}'
    tool = b'{"name":"a","strict":true,"input_schema":{"properties":{"a":{"maximum":1e400}}}}'
    request = message_request(parse(body % tool))
    if profile is GEMINI:
        with pytest.raises(InvalidRequest, match=r"tools\.0\.input_schema: a number is out of range"):
            openai_request(request, model="m", profile=profile)
    else:
        assert b"1e400" in openai_request(request, model="m", profile=profile).body


@pytest.mark.parametrize(
    ("fields", "efforts", "expected"),
    [
        ({"output_config": {"effort": "medium"}}, ("low", "medium", "high"), "medium"),
        ({"output_config": {"effort": "max"}}, ("low", "medium", "high"), "high"),
        ({"output_config": {"effort": "low"}}, ("none", "high"), "high"),
        ({"output_config": {"effort": "low"}}, (), None),
        ({"thinking": {"type": "disabled"}}, ("none", "low"), "none"),
        ({"thinking": {"type": "disabled"}}, ("low", "high"), None),
        ({"thinking": {"type": "adaptive"}}, ("low", "high"), None),
        ({"thinking": {"type": "enabled", "budget_tokens": 3_999}}, ("low", "medium", "high"), "low"),
        ({"thinking": {"type": "enabled", "budget_tokens": 4_000}}, ("low", "medium", "high"), "medium"),
        ({"thinking": {"type": "enabled", "budget_tokens": 16_000}}, ("low", "medium", "high"), "high"),
    ],
)
def test_effort_is_the_same_word_or_the_nearest(
    fields: dict[str, Any], efforts: tuple[str, ...], expected: str | None
) -> None:
    assert sent(**fields, profile=Profile(efforts=efforts)).get("reasoning_effort") == expected


@pytest.mark.parametrize(
    ("efforts", "expected"),
    [(["low"], "low"), (["high", "low"], "low"), (["low", "answered"], "medium"), ([], "medium")],
)
def test_the_effort_that_the_turn_sets_goes_before_the_requests(efforts: list[str], expected: str) -> None:
    """It was for the turn in which it stands, so what was answered with it does not bind the next."""
    turns = [
        {"role": "assistant", "content": "Hello"}
        if effort == "answered"
        else {"role": "system", "content": [], "output_config": {"effort": effort}}
        for effort in efforts
    ]
    messages = [{"role": "user", "content": "Hi"}, *turns, {"role": "user", "content": "Go on"}]
    body = sent(
        messages=messages,
        output_config={"effort": "medium"},
        profile=Profile(efforts=("low", "medium", "high")),
    )
    assert body["reasoning_effort"] == expected


def test_an_effort_of_the_turn_that_has_no_word_is_said_to_be_left_out() -> None:
    setting = {"role": "system", "content": [], "output_config": {"effort": "low"}}
    assert written(messages=[{"role": "user", "content": "Hi"}, setting]).dropped == ("output_config.effort",)


def test_a_family_with_a_thinking_switch_is_told_by_it() -> None:
    assert sent(thinking={"type": "adaptive"}, profile=DEEPSEEK)["thinking"] == {"type": "enabled"}
    assert sent(thinking={"type": "disabled"}, profile=DEEPSEEK)["thinking"] == {"type": "disabled"}


def test_a_wish_to_think_that_a_model_cannot_fulfil_is_said_to_be_left_out() -> None:
    config = {"effort": "high", "task_budget": {"type": "tokens", "total": 9_000}}
    request = written(thinking={"type": "enabled", "budget_tokens": 2_000}, output_config=config)
    assert request.dropped == ("thinking", "output_config.effort", "output_config.task_budget")
    assert written(thinking={"type": "disabled"}).dropped == ()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"thinking": {"type": "telepathic"}}, "thinking.type: 'telepathic' is not known"),
        ({"output_config": {"effort": "heroic"}}, "output_config.effort: 'heroic' is not known"),
        (
            {"output_config": {"format": {"type": "xml"}}},
            "output_config.format: Input should be a JSON schema",
        ),
    ],
)
def test_unknown_words_are_refused_and_not_guessed(fields: dict[str, Any], message: str) -> None:
    assert refusal(**fields, profile=OPENAI_REASONING) == message


@pytest.mark.parametrize(("schema", "strict"), [(CLOSED, True), (SCHEMA, False)])
@pytest.mark.parametrize("as_beta", [False, True])
def test_the_output_format_is_a_response_format(schema: dict[str, Any], strict: bool, as_beta: bool) -> None:
    wanted = {"type": "json_schema", "schema": schema}
    fields = {"output_format": wanted} if as_beta else {"output_config": {"format": wanted}}
    assert sent(**fields)["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "output", "schema": schema, "strict": strict},
    }


def test_a_provider_without_schemas_is_told_the_schema_in_words() -> None:
    wanted = {"format": {"type": "json_schema", "schema": {"type": "object"}}}
    told = 'Answer with one JSON object that follows this JSON schema:\n{"type": "object"}'
    body = sent(output_config=wanted, profile=DEEPSEEK)
    assert body["response_format"] == {"type": "json_object"}
    assert body["messages"][0] == {"role": "system", "content": told}
    both = sent(system="Be kind.", output_config=wanted, profile=DEEPSEEK)["messages"]
    assert [message["content"] for message in both] == [f"Be kind.\n\n{told}", "Hello"]


def test_the_callers_name_for_a_person_is_hashed() -> None:
    fields = {"metadata": {"user_id": "uma@example.com"}}
    assert sent(**fields, profile=OPENAI)["safety_identifier"] == (
        hashlib.sha256(b"uma@example.com").hexdigest()
    )
    assert written(**fields).dropped == ("metadata.user_id",)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("container", "container_1"),
        ("mcp_servers", [{"type": "url", "url": "https://example.com", "name": "x"}]),
    ],
)
def test_what_would_change_the_answer_is_refused_by_name(name: str, value: object) -> None:
    assert refusal(**{name: value}) == f"{name}: cannot be carried to this model's provider"
    assert written(**{name: None}).body == written().body


def test_what_is_left_out_is_said_under_its_own_name() -> None:
    left_out = {
        "service_tier": "auto",
        "cache_control": {"type": "ephemeral"},
        "context_management": {"edits": []},
        "speed": "fast",
        "inference_geo": "us",
        "tomorrow": 1,
    }
    request = written(**left_out)
    assert request.dropped == tuple(left_out)
    assert request.body == written().body
