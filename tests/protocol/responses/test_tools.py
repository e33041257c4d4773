"""Tools and the choice among them."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.protocol.anthropic.families import family_of
from tests.protocol.responses.writing import refusal, sent, written

NO_PARAMETERS = {"type": "object", "properties": {}}
READ = {
    "type": "function",
    "name": "read",
    "description": "Reads.",
    "parameters": {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]},
}
PATCH = {
    "type": "custom",
    "name": "apply_patch",
    "description": "Patches.",
    "format": {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"},
}
AGENTS = {
    "type": "namespace",
    "name": "agents",
    "description": "Agents.",
    "tools": [{"type": "function", "name": "spawn"}, {"type": "web_search"}],
}
PATCH_WRITTEN = {
    "name": "apply_patch",
    "description": "Patches.\n\n`input` follows this lark grammar:\nstart: /.+/",
    "input_schema": {
        "type": "object",
        "properties": {
            "input": {"type": "string", "description": "The whole input of the tool, as plain text."}
        },
        "required": ["input"],
        "additionalProperties": False,
    },
}


def test_a_function_is_carried() -> None:
    assert sent(tools=[READ | {"strict": False}])["tools"] == [
        {"name": "read", "description": "Reads.", "input_schema": READ["parameters"]}
    ]


def test_a_function_without_parameters_takes_an_empty_object() -> None:
    tools = sent(tools=[{"type": "function", "name": "now", "parameters": None}])["tools"]

    assert tools == [{"name": "now", "input_schema": NO_PARAMETERS}]


def test_a_strict_function_is_strict_where_the_model_can_be() -> None:
    [tool] = sent(tools=[READ | {"strict": True}])["tools"]
    old = written(tools=[READ | {"strict": True}], family=family_of("claude-3-haiku-20240307"))

    assert (tool["strict"], tool["input_schema"]["additionalProperties"]) == (True, False)
    assert old.dropped == ("tools.strict",)


def test_a_custom_tool_becomes_a_function_of_one_text() -> None:
    assert sent(tools=[PATCH])["tools"] == [PATCH_WRITTEN]


def test_tools_in_a_namespace_carry_its_name() -> None:
    request = written(tools=[AGENTS])

    assert sent(tools=[AGENTS])["tools"] == [{"name": "agents__spawn", "input_schema": NO_PARAMETERS}]
    assert request.dropped == ("tools.web_search",)


def test_a_name_that_is_too_long_is_shortened_the_same_way_each_time() -> None:
    tool = {"type": "namespace", "name": "n" * 40, "tools": [{"type": "function", "name": "t" * 40}]}

    names = {sent(tools=[tool])["tools"][0]["name"] for _ in range(2)}

    assert [len(name) for name in names] == [64]


def test_tools_that_an_item_of_the_input_brings_are_tools_too() -> None:
    functions = {"type": "namespace", "name": "functions", "description": "", "tools": [PATCH]}
    items = [
        {"type": "additional_tools", "role": "developer", "tools": [functions]},
        {"role": "user", "content": "Patch."},
    ]

    body = sent(input=items, tools=[READ])

    assert [tool["name"] for tool in body["tools"]] == ["read", "apply_patch"]
    assert body["messages"] == [{"role": "user", "content": [{"type": "text", "text": "Patch."}]}]


def test_kinds_that_openai_runs_or_nobody_knows_are_left_out_and_named() -> None:
    tools = [
        {"type": "web_search", "external_web_access": True},
        {"type": "mcp", "server_label": "x", "server_url": "https://example.com", "name": 7},
        {"type": "local_shell"},
        {"type": "image_generation", "output_format": "png"},
        {"type": "hologram"},
        READ,
    ]

    request = written(tools=tools)

    assert request.dropped == (
        "tools.web_search",
        "tools.mcp",
        "tools.local_shell",
        "tools.image_generation",
        "tools.hologram",
    )
    assert [tool["name"] for tool in sent(tools=tools)["tools"]] == ["read"]


@pytest.mark.parametrize(
    ("choice", "written_choice"),
    [
        ("auto", {"type": "auto"}),
        ("none", {"type": "none"}),
        ("required", {"type": "any"}),
        ({"type": "function", "name": "read"}, {"type": "tool", "name": "read"}),
        ({"type": "custom", "name": "apply_patch"}, {"type": "tool", "name": "apply_patch"}),
        (
            {"type": "function", "name": "spawn", "namespace": "agents"},
            {"type": "tool", "name": "agents__spawn"},
        ),
    ],
)
def test_a_choice_is_carried(choice: Any, written_choice: dict[str, Any]) -> None:
    assert sent(tools=[READ, PATCH, AGENTS], tool_choice=choice)["tool_choice"] == written_choice


def test_allowed_tools_are_the_only_ones_shown() -> None:
    allowed = {
        "type": "allowed_tools",
        "mode": "required",
        "tools": [{"type": "custom", "name": "apply_patch"}, {"type": "web_search"}],
    }

    body = sent(tools=[READ, PATCH], tool_choice=allowed)

    assert (body["tools"], body["tool_choice"]) == ([PATCH_WRITTEN], {"type": "any"})


@pytest.mark.parametrize(
    ("fields", "dropped"),
    [
        ({"tools": [READ], "tool_choice": {"type": "web_search"}}, ("tool_choice.web_search",)),
        ({"tools": [{"type": "web_search"}], "tool_choice": "required"}, ("tools.web_search", "tool_choice")),
        ({"tool_choice": "auto"}, ()),
    ],
)
def test_what_is_left_out_cannot_be_forced(fields: dict[str, Any], dropped: tuple[str, ...]) -> None:
    request = written(**fields)

    assert (request.dropped, "tool_choice" in sent(**fields)) == (dropped, False)


def test_one_call_at_a_time() -> None:
    body = sent(tools=[READ], parallel_tool_calls=False)

    assert body["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}


def test_tools_that_were_called_before_stand_there_though_none_is_given_now() -> None:
    items = [
        {"role": "user", "content": "Look."},
        {"type": "function_call", "call_id": "call_1", "name": "read", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": "A"},
        {"role": "user", "content": "Summarize."},
    ]

    body = sent(input=items, parallel_tool_calls=False)

    assert (body["tools"], body["tool_choice"]) == (
        [{"name": "read", "input_schema": NO_PARAMETERS}],
        {"type": "none"},
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"tools": [{"type": "function"}]}, "tools.0.name: Field required"),
        (
            {"tools": [{"type": "namespace", "name": "n", "tools": [{"type": "custom"}]}]},
            "tools.0.tools.0.name: Field required",
        ),
        ({"tools": [{"name": "x"}]}, "tools.0: Object missing required field `type`"),
        ({"tools": READ}, "tools: Expected `array | null`, got `object`"),
        (
            {"tools": [READ], "tool_choice": "sometimes"},
            "tool_choice: Input should be 'none', 'auto' or 'required'",
        ),
        (
            {"tools": [READ], "tool_choice": {"type": "function", "name": "write"}},
            "tool_choice.name: Tool 'write' not found in provided tools",
        ),
        (
            {"tools": [READ], "tool_choice": {"type": "allowed_tools", "mode": "none", "tools": []}},
            "tool_choice.mode: Input should be 'auto' or 'required'",
        ),
    ],
)
def test_a_malformed_tool_or_choice_is_refused_with_its_place(fields: dict[str, Any], message: str) -> None:
    assert refusal(**fields) == message
