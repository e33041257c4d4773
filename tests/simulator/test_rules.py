"""What the simulator refuses, in the words of a provider."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from gateway import simulator
from gateway.errors import InvalidRequest
from gateway.simulator import rules

USER = {"role": "user", "content": "Hello"}
CALL = {"type": "tool_use", "id": "t1", "name": "f", "input": {}}
TOOL = {"name": "f", "input_schema": {"type": "object"}}

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"messages": []}, "messages: at least one message is required"),
    (
        {"messages": [{"role": "robot", "content": "x"}]},
        "messages.0.role: Input should be 'user' or 'assistant'",
    ),
    ({"messages": [{"content": "x"}]}, "messages.0.role: Field required"),
    ({"messages": [{"role": "user"}]}, "messages.0.content: Field required"),
    (
        {"messages": [{"role": "user", "content": 1}]},
        "messages.0.content: Input should be a valid string or a valid list",
    ),
    (
        {"messages": [{"role": "assistant", "content": "x"}]},
        'messages: first message must use the "user" role',
    ),
    (
        {"messages": [USER, {"role": "system", "content": "x"}], "model": "claude-sonnet-4-5"},
        "messages.1: role 'system' is not supported on this model",
    ),
    (
        {"messages": [USER, {"role": "system", "content": "x"}, USER]},
        "messages.1: a system message must follow a user message "
        "and be the last one or before an assistant's",
    ),
    (
        {"messages": [USER, {"role": "system", "content": [{"type": "image", "source": {}}]}]},
        "messages.1.content.0.type: Input should be 'text'",
    ),
    (
        {"messages": [{"role": "user", "content": ""}]},
        "messages.0: all messages must have non-empty content "
        "except for the optional final assistant message",
    ),
    (
        {"messages": [{"role": "user", "content": [{"type": "text", "text": " "}]}]},
        "messages.0.content.0: text content blocks must contain non-whitespace text",
    ),
    (
        {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
        "messages.0.content.0.text.text: Field required",
    ),
    (
        {
            "messages": [
                {"role": "user", "content": [{"type": "thinking", "thinking": "x", "signature": "y"}]}
            ]
        },
        "messages.0.content.0: Input tag 'thinking' found using 'type' "
        "does not match any of the expected tags: "
        "'text', 'image', 'document', 'search_result', 'tool_result', 'container_upload'",
    ),
    (
        {"messages": [USER, {"role": "assistant", "content": [{"type": "thinking", "thinking": "x"}]}]},
        "messages.1.content.0.thinking.signature: Field required",
    ),
    (
        {"messages": [USER, {"role": "assistant", "content": "well "}]},
        "messages: final assistant content cannot end with trailing whitespace",
    ),
    (
        {"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t9"}]}]},
        "messages.0.content: unexpected `tool_use_id` found in `tool_result` blocks: t9. "
        "Each `tool_result` block must have a corresponding `tool_use` block in the previous message.",
    ),
    (
        {"messages": [USER, {"role": "assistant", "content": [CALL]}, USER]},
        "messages.2: `tool_use` ids were found without `tool_result` blocks immediately after: t1. "
        "Each `tool_use` block must have a corresponding `tool_result` block in the next message.",
    ),
    ({"tools": [{"input_schema": {"type": "object"}}]}, "tools.0.custom.name: Field required"),
    (
        {"tools": [{"name": "two words", "input_schema": {"type": "object"}}]},
        "tools.0.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'",
    ),
    ({"tools": [{"name": "f"}]}, "tools.0.custom.input_schema: Field required"),
    (
        {"tools": [{"name": "f", "input_schema": {"type": "string"}}]},
        "tools.0.custom.input_schema.type: Input should be 'object'",
    ),
    ({"tools": [TOOL, TOOL]}, "tools: Tool names must be unique."),
    ({"tools": {}}, "tools: Input should be a valid list"),
    (
        {"tool_choice": {"type": "any"}},
        "tool_choice: tool_choice may only be specified while providing tools",
    ),
    (
        {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "g"}},
        "tool_choice.name: Tool 'g' not found in provided tools",
    ),
    ({"tools": [TOOL], "tool_choice": {"type": "tool"}}, "tool_choice.tool.name: Field required"),
    (
        {"tools": [TOOL], "tool_choice": {"type": "all"}},
        "tool_choice: Input tag 'all' found using 'type' does not match any of the expected tags: "
        "'auto', 'any', 'tool', 'none'",
    ),
    ({"thinking": {"type": "enabled"}}, "thinking.enabled.budget_tokens: Field required"),
    (
        {"thinking": {"type": "enabled", "budget_tokens": 1023}},
        "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024",
    ),
    (
        {"thinking": {"type": "enabled", "budget_tokens": 2000}},
        "`max_tokens` must be greater than `thinking.budget_tokens`.",
    ),
    (
        {"thinking": {"type": "adaptive"}, "tools": [TOOL], "tool_choice": {"type": "any"}},
        "Thinking may not be enabled when tool_choice forces tool use.",
    ),
    (
        {"thinking": {"type": "adaptive"}, "temperature": 0.5},
        "`temperature` may only be set to 1 when thinking is enabled.",
    ),
    ({"temperature": 1.5}, "temperature: Input should be less than or equal to 1"),
    ({"top_p": -0.1}, "top_p: Input should be greater than or equal to 0"),
    ({"stop_sequences": [" "]}, "stop_sequences.0: each stop sequence must contain non-whitespace"),
    ({"stop_sequences": "x"}, "stop_sequences: Input should be a valid list"),
    ({"system": 5}, "system: Input should be a valid string or a valid list"),
    ({"system": [{"type": "image"}]}, "system.0.type: Input should be 'text'"),
    (
        {"output_config": {"format": {"type": "xml"}}},
        "output_config.format.type: Input should be 'json_schema'",
    ),
    (
        {"output_config": {"effort": "huge"}},
        "output_config.effort: Input should be 'low', 'medium', 'high', 'xhigh', 'max'",
    ),
]


@pytest.mark.parametrize(("fields", "message"), REFUSED, ids=[message[:50] for _, message in REFUSED])
def test_a_wrong_request_is_refused_by_naming_the_field(fields: dict[str, Any], message: str) -> None:
    assert refusal(fields) == (
        400,
        {
            "type": "error",
            "error": {"type": "invalid_request_error", "message": message},
            "request_id": "req_1",
        },
    )


@pytest.mark.parametrize("field", ["temperature", "top_p", "top_k"])
def test_the_newer_version_refuses_sampling_parameters(field: str) -> None:
    status, answer = refusal({field: 1}, version="2026-10-21")

    assert (status, answer["error"]["message"]) == (400, f"{field}: Extra inputs are not permitted")


def test_a_whole_agent_turn_with_thinking_and_tools_is_accepted() -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
    result = {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "42"}]}
    messages = [
        USER,
        {"role": "assistant", "content": [thought, {"type": "redacted_thinking", "data": "x"}, CALL]},
        {"role": "user", "content": [result, {"type": "text", "text": "Go on"}]},
    ]

    assert refusal({"messages": messages, "tools": [TOOL], "thinking": {"type": "adaptive"}})[0] == 200


@pytest.mark.parametrize(
    "thread", [{"type": "create"}, {"type": "continue", "previous_message_id": "msg_01"}]
)
def test_a_thread_is_refused_by_the_code_on_which_sdks_send_the_history(thread: dict[str, Any]) -> None:
    status, answer = refusal({"thread": thread})

    assert (status, answer["error"]["details"]) == (400, {"error_code": "thread_unsupported_request"})
    assert refusal({"thread": None})[0] == 200


@pytest.mark.parametrize("model", ["claude-opus-5-5", "claude-opus-4-8", "a-model-of-ones-own"])
def test_newer_models_take_a_system_message_after_a_users(model: str) -> None:
    system = {"role": "system", "content": "Be brief."}

    assert refusal({"messages": [USER, system], "model": model})[0] == 200
    assert (
        refusal({"messages": [USER, system, {"role": "assistant", "content": "Well"}], "model": model})[0]
        == 200
    )


def refusal(fields: dict[str, Any], version: str = "2023-06-01") -> tuple[int, dict[str, Any]]:
    body = json.dumps({"model": "claude-opus-5-5", "max_tokens": 2000, "messages": [USER], **fields}).encode()

    async def read() -> tuple[int, dict[str, Any]]:
        reply = await simulator.answer(body, version=version, delay=0, request_id="req_1")
        return reply.status, json.loads(b"".join([chunk async for chunk in reply.chunks]))

    return asyncio.run(read())


def test_a_prompt_beyond_the_window_is_refused_in_the_words_clients_know() -> None:
    with pytest.raises(InvalidRequest) as refused:
        rules.check_length(200_001)
    assert refused.value.message == "prompt is too long: 200001 tokens > 200000 maximum"
    rules.check_length(200_000)
