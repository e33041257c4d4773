"""Everything of a chat completions request beside its conversation, on its way to an Anthropic provider."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from gateway.protocol.anthropic.families import OPEN, Family, family_of
from gateway.protocol.body import parse
from gateway.protocol.chat.to_anthropic import output_length
from gateway.simulator import request as simulated
from gateway.simulator import rules
from tests.protocol.chat.writing import (
    ADAPTIVE,
    BUDGET,
    NEWEST,
    OLD,
    asked,
    call,
    refusal,
    result,
    said,
    sent,
    tool,
    user,
    written,
)

EMPTY = {"type": "object", "properties": {}}
PATH = {"type": "object", "properties": {"path": {"type": "string"}}}
JSON_OBJECT = "Answer with one JSON object and nothing else: no other words and no code fence."


def test_a_plain_request_holds_nothing_that_was_not_asked_for() -> None:
    request = written()
    assert request.body == (
        b'{"model":"claude-x","max_tokens":4096,"messages":[{"role":"user","content":"Hello"}]}'
    )
    assert request.dropped == ()


@pytest.mark.parametrize(
    ("fields", "most", "expected"),
    [
        ({}, None, 4096),
        ({}, 1000, 1000),
        ({}, 64_000, 4096),
        ({"max_tokens": 10_000}, None, 10_000),
        ({"max_completion_tokens": 10_000, "max_tokens": 5}, 8192, 8192),
    ],
)
def test_the_length_has_a_default_and_goes_no_further_than_the_model(
    fields: dict[str, Any], most: int | None, expected: int
) -> None:
    assert sent(most=most, **fields)["max_tokens"] == expected
    assert output_length(asked(**fields), most) == expected


def test_what_says_nothing_to_anthropic_is_left_out_and_named() -> None:
    ignored = {
        "presence_penalty": 1,
        "frequency_penalty": 1,
        "seed": 5,
        "logit_bias": {"1": 2},
        "store": True,
        "metadata": {"a": "b"},
        "service_tier": "auto",
        "prediction": {"type": "content", "content": "x"},
        "prompt_cache_key": "k",
        "verbosity": "low",
        "x_unknown": 1,
    }
    request = written(**ignored, stream_options=None, logprobs=False, modalities=["text"])
    assert request.dropped == (*ignored, "logprobs", "modalities")
    assert sent(**ignored) == sent()


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"logprobs": True}, "logprobs"),
        ({"top_logprobs": 5}, "top_logprobs"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"audio": {"voice": "alloy", "format": "wav"}}, "audio"),
        ({"web_search_options": {}}, "web_search_options"),
    ],
)
def test_what_would_make_it_another_answer_is_refused(fields: dict[str, Any], name: str) -> None:
    assert refusal(**fields) == f"{name}: cannot be carried to this model's provider"


# Sampling


@pytest.mark.parametrize(
    ("family", "fields", "expected", "dropped"),
    [
        (OLD, {"temperature": 1.7, "top_p": 0.5}, {"temperature": 1, "top_p": 0.5}, ()),
        (OLD, {"temperature": 0}, {"temperature": 0}, ()),
        (ADAPTIVE, {"temperature": 0.2, "top_p": 0.5}, {"temperature": 0.2}, ("top_p",)),
        (ADAPTIVE, {"temperature": 0.2, "top_p": 1}, {"temperature": 0.2}, ()),
        (ADAPTIVE, {"top_p": 0.5}, {"top_p": 0.5}, ()),
        (NEWEST, {"temperature": 0.2, "top_p": 0.5}, {}, ("temperature", "top_p")),
        (NEWEST, {"temperature": 1, "top_p": 1.0}, {}, ()),
        (OPEN, {"temperature": 1.7, "top_p": 0.5}, {"temperature": 1.7, "top_p": 0.5}, ()),
        (OLD, {"temperature": None, "top_p": None}, {}, ()),
    ],
)
def test_sampling_goes_where_the_model_takes_it(
    family: Family, fields: dict[str, Any], expected: dict[str, Any], dropped: tuple[str, ...]
) -> None:
    assert {name: value for name, value in sent(family, **fields).items() if name in fields} == expected
    assert written(family, **fields).dropped == dropped


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"temperature": 2.1}, "temperature: Input should be between 0 and 2"),
        ({"top_p": -0.1}, "top_p: Input should be between 0 and 1"),
        ({"temperature": "hot"}, "temperature: Expected `float | null`, got `str`"),
    ],
)
def test_sampling_out_of_range_is_refused(fields: dict[str, Any], message: str) -> None:
    assert refusal(NEWEST, **fields) == message


# Thinking


def reasoning(family: Family, effort: str, **fields: Any) -> tuple[Any, Any]:
    body = sent(family, reasoning_effort=effort, **fields)
    return body.get("thinking"), body.get("output_config", {}).get("effort")


@pytest.mark.parametrize("effort", ["low", "medium", "high", "xhigh", "max"])
def test_a_new_model_gets_the_same_word_and_thinks_as_long_as_it_likes(effort: str) -> None:
    assert reasoning(NEWEST, effort) == ({"type": "adaptive", "display": "summarized"}, effort)


@pytest.mark.parametrize(
    ("effort", "expected"),
    [
        ("minimal", "low"),
        ("low", "low"),
        ("medium", "medium"),
        ("high", "high"),
        ("xhigh", "max"),
        ("max", "max"),
    ],
)
def test_a_model_with_fewer_words_gets_the_nearest(effort: str, expected: str) -> None:
    assert reasoning(ADAPTIVE, effort) == ({"type": "adaptive"}, expected)


@pytest.mark.parametrize(
    ("effort", "budget"),
    [("minimal", 1024), ("low", 1024), ("medium", 2048), ("high", 4096), ("xhigh", 8192), ("max", 16_384)],
)
def test_an_older_model_gets_a_budget(effort: str, budget: int) -> None:
    assert reasoning(BUDGET, effort, max_tokens=32_000) == (
        {"type": "enabled", "budget_tokens": budget},
        None,
    )


@pytest.mark.parametrize(
    ("max_tokens", "thinking"),
    [
        (6000, {"type": "enabled", "budget_tokens": 4096}),
        (4096, {"type": "enabled", "budget_tokens": 3072}),
        (1366, {"type": "enabled", "budget_tokens": 1024}),
        (1365, None),
        (100, None),
    ],
)
def test_a_budget_leaves_a_quarter_for_the_answer_or_is_not_given(max_tokens: int, thinking: Any) -> None:
    assert reasoning(BUDGET, "high", max_tokens=max_tokens) == (thinking, None)
    dropped = written(BUDGET, reasoning_effort="high", max_tokens=max_tokens).dropped
    assert dropped == (() if thinking else ("reasoning_effort",))


@pytest.mark.parametrize(
    ("family", "expected"),
    [
        (NEWEST, ({"type": "disabled"}, None)),
        (BUDGET, ({"type": "disabled"}, None)),
        (OLD, (None, None)),
        (family_of("claude-mythos-5"), (None, "low")),
        (OPEN, (None, "none")),
    ],
)
def test_no_effort_turns_thinking_off_where_it_can_be(family: Family, expected: tuple[Any, Any]) -> None:
    assert reasoning(family, "none") == expected
    assert written(family, reasoning_effort="none").dropped == ()


def test_a_model_that_does_not_think_is_not_told_to() -> None:
    assert reasoning(OLD, "high") == (None, None)
    assert written(OLD, reasoning_effort="high").dropped == ("reasoning_effort",)


@pytest.mark.parametrize("effort", ["none", "minimal", "low", "medium", "high", "xhigh", "max"])
def test_on_the_way_to_another_dialect_every_word_is_kept(effort: str) -> None:
    assert reasoning(OPEN, effort) == (None, effort)


def test_an_unknown_effort_is_refused() -> None:
    assert refusal(reasoning_effort="huge") == (
        "reasoning_effort: Input should be 'none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'"
    )


def test_thinking_takes_the_place_of_sampling() -> None:
    request = written(BUDGET, reasoning_effort="low", temperature=0.2, top_p=0.9)
    assert request.dropped == ("temperature", "top_p")
    assert sent(BUDGET, reasoning_effort="none", temperature=0.2)["temperature"] == 0.2


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "read"}}])
@pytest.mark.parametrize(("family", "effort"), [(NEWEST, "high"), (BUDGET, None)])
def test_a_forced_tool_takes_the_place_of_thinking(family: Family, effort: str | None, choice: Any) -> None:
    fields: dict[str, Any] = {"tools": [tool()], "tool_choice": choice}
    assert reasoning(family, "high", **fields) == (None, effort)
    assert written(family, reasoning_effort="high", **fields).dropped == ("reasoning_effort",)


def test_a_budget_is_not_given_in_the_middle_of_a_turn() -> None:
    turns = [user("Go"), said(None, call("a")), result("a")]
    fields: dict[str, Any] = {"messages": turns, "tools": [tool()]}
    assert reasoning(BUDGET, "high", **fields) == (None, None)
    assert reasoning(ADAPTIVE, "high", **fields) == ({"type": "adaptive"}, "high")
    assert reasoning(BUDGET, "high", messages=[user("Go"), said("It is")]) == (None, None)


# Tools


def test_functions_become_tools() -> None:
    tools = [
        tool("read", description="Read a file", parameters=PATH),
        tool("now", parameters=None),
        tool("list"),
    ]
    assert sent(tools=tools)["tools"] == [
        {"name": "read", "input_schema": PATH, "description": "Read a file"},
        {"name": "now", "input_schema": EMPTY},
        {"name": "list", "input_schema": EMPTY},
    ]


def test_a_schema_without_a_type_is_an_objects() -> None:
    loose = {"$schema": "http://json-schema.org/schema#", "properties": {"a": {"oneOf": [{"minimum": 1}]}}}
    [written_tool] = sent(tools=[tool(parameters=loose)])["tools"]
    assert written_tool["input_schema"] == {"type": "object", "properties": loose["properties"]}


@pytest.mark.parametrize(
    ("family", "schema", "strict", "dropped"),
    [
        (ADAPTIVE, PATH | {"additionalProperties": False}, True, ()),
        (OLD, PATH, None, ("tools.strict",)),
        (OPEN, PATH, True, ()),
    ],
)
def test_a_strict_tool_is_strict_where_schemas_are_enforced(
    family: Family, schema: Any, strict: bool | None, dropped: tuple[str, ...]
) -> None:
    tools = [tool(parameters=PATH, strict=True)]
    [written_tool] = sent(family, tools=tools)["tools"]
    assert (written_tool["input_schema"], written_tool.get("strict")) == (schema, strict)
    assert written(family, tools=tools).dropped == dropped


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, None),
        ({"tool_choice": "none"}, {"type": "none"}),
        ({"tool_choice": "auto"}, {"type": "auto"}),
        ({"tool_choice": "required"}, {"type": "any"}),
        (
            {"tool_choice": {"type": "function", "function": {"name": "read"}}},
            {"type": "tool", "name": "read"},
        ),
        ({"parallel_tool_calls": True}, None),
        ({"parallel_tool_calls": False}, {"type": "auto", "disable_parallel_tool_use": True}),
        (
            {"parallel_tool_calls": False, "tool_choice": "required"},
            {"type": "any", "disable_parallel_tool_use": True},
        ),
        ({"parallel_tool_calls": False, "tool_choice": "none"}, {"type": "none"}),
    ],
)
def test_the_choice_of_tools_is_carried(fields: dict[str, Any], expected: Any) -> None:
    assert sent(tools=[tool()], **fields).get("tool_choice") == expected


def test_without_tools_there_is_nothing_to_choose() -> None:
    assert sent(tool_choice="auto", parallel_tool_calls=False) == sent()
    assert sent(tools=[], tool_choice="none") == sent()


def test_only_allowed_tools_are_shown() -> None:
    allowed = {"mode": "required", "tools": [{"type": "function", "function": {"name": "b"}}]}
    body = sent(
        tools=[tool("a"), tool("b"), tool("c")],
        tool_choice={"type": "allowed_tools", "allowed_tools": allowed},
    )
    assert [each["name"] for each in body["tools"]] == ["b"]
    assert body["tool_choice"] == {"type": "any"}


def test_tools_by_their_old_name_are_called_one_at_a_time() -> None:
    fields: dict[str, Any] = {"functions": [{"name": "read", "parameters": PATH}]}
    one = {"disable_parallel_tool_use": True}
    assert sent(**fields)["tools"] == [{"name": "read", "input_schema": PATH}]
    assert sent(**fields)["tool_choice"] == {"type": "auto", **one}
    assert sent(**fields, function_call="none")["tool_choice"] == {"type": "none"}
    named = sent(**fields, function_call={"name": "read"})["tool_choice"]
    assert named == {"type": "tool", "name": "read", **one}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"tools": [{"type": "custom", "custom": {"name": "x"}}]},
            "tools.0.type: 'custom' tools cannot be carried to this model's provider",
        ),
        ({"tools": [{"type": "function"}]}, "tools.0.function: Field required"),
        (
            {"tools": [{"type": "function", "function": {}}]},
            "tools.0.function: Object missing required field `name`",
        ),
        ({"tools": [tool(parameters=[])]}, "tools.0.function.parameters: Input should be an object"),
        ({"tools": [tool()], "functions": [{"name": "x"}]}, "functions: Input should be absent beside tools"),
        (
            {"tools": [tool()], "tool_choice": {"type": "custom", "custom": {"name": "x"}}},
            "tool_choice.type: 'custom' cannot be carried to this model's provider",
        ),
        (
            {"tools": [tool()], "tool_choice": {"type": "function", "function": {"name": "x"}}},
            "tool_choice.function.name: Tool 'x' not found in provided tools",
        ),
        (
            {"tools": [tool()], "tool_choice": "any"},
            "tool_choice: Input should be 'none', 'auto' or 'required'",
        ),
        ({"tool_choice": "required"}, "tool_choice: 'required' is only allowed when tools are given"),
        (
            {
                "tools": [tool()],
                "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}},
            },
            "tool_choice.allowed_tools.tools: at least one tool is required",
        ),
        (
            {"functions": [{"name": "read"}], "function_call": {"name": "x"}},
            "function_call.name: Tool 'x' not found in provided tools",
        ),
    ],
)
def test_tools_that_cannot_be_carried_are_refused(fields: dict[str, Any], message: str) -> None:
    assert refusal(**fields) == message


# The answer's form, stop sequences, the user


def test_text_is_the_form_that_needs_no_saying() -> None:
    assert sent(response_format={"type": "text"}) == sent(response_format=None) == sent()


@pytest.mark.parametrize(
    ("family", "wanted", "system", "output_config"),
    [
        (
            ADAPTIVE,
            PATH,
            None,
            {"format": {"type": "json_schema", "schema": PATH | {"additionalProperties": False}}},
        ),
        (OPEN, PATH, None, {"format": {"type": "json_schema", "schema": PATH}}),
        (
            OLD,
            {"type": "object"},
            f'{JSON_OBJECT} It follows this JSON schema:\n{{"type": "object"}}',
            None,
        ),
        (ADAPTIVE, None, JSON_OBJECT, None),
    ],
)
def test_a_schema_is_enforced_or_told(
    family: Family, wanted: Any, system: str | None, output_config: Any
) -> None:
    json_schema = {"name": "x"} | ({"schema": wanted} if wanted else {})
    body = sent(family, response_format={"type": "json_schema", "json_schema": json_schema})
    assert (body.get("system"), body.get("output_config")) == (system, output_config)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"type": "xml"}, "response_format.type: Input should be 'text', 'json_object' or 'json_schema'"),
        ({"type": "json_schema"}, "response_format.json_schema: Field required"),
        (
            {"type": "json_schema", "json_schema": {"name": "x", "schema": "y"}},
            "response_format.json_schema.schema: Input should be an object",
        ),
    ],
)
def test_an_unknown_form_is_refused(wanted: dict[str, Any], message: str) -> None:
    assert refusal(response_format=wanted) == message


@pytest.mark.parametrize(
    ("stop", "expected", "dropped"),
    [
        ("END", ["END"], ()),
        (["a", "\n", " b"], ["a", " b"], ("stop",)),
        ("\n", None, ("stop",)),
        ([], None, ()),
        (None, None, ()),
    ],
)
def test_stop_sequences_of_white_space_are_left_out(
    stop: Any, expected: Any, dropped: tuple[str, ...]
) -> None:
    assert sent(stop=stop).get("stop_sequences") == expected
    assert written(stop=stop).dropped == dropped


def test_the_user_is_told_and_a_long_name_hashed() -> None:
    assert sent(user="uma")["metadata"] == {"user_id": "uma"}
    assert sent(user="uma", safety_identifier="s")["metadata"] == {"user_id": "s"}
    long = "u" * 257
    assert sent(user=long)["metadata"] == {"user_id": hashlib.sha256(long.encode()).hexdigest()}
    assert "metadata" not in sent(user="")


@pytest.mark.parametrize(
    "model", ["claude-3-5-haiku-20241022", "claude-haiku-4-5", "claude-opus-4-6", "claude-sonnet-5"]
)
@pytest.mark.parametrize("choice", ["auto", "required", "none"])
@pytest.mark.parametrize("effort", ["none", "low", "max"])
def test_the_simulator_takes_what_is_written_for_any_model(model: str, choice: str, effort: str) -> None:
    body = written(
        family_of(model),
        messages=[said("Hello"), user("Go"), said("", call("a:1"), call("b")), result("b"), user("On")],
        tools=[tool(parameters=PATH, strict=True)],
        tool_choice=choice,
        reasoning_effort=effort,
        temperature=1.5,
        top_p=0.9,
        stop=["\n", "END"],
        response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": PATH}},
        user="uma",
    ).body
    parse(body)
    rules.check(simulated.parse(body), "2023-06-01")
