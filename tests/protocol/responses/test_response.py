"""An Anthropic message told as a Response, and read by OpenAI's SDK."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types.responses import Response

from gateway.errors import InternalError
from gateway.protocol.responses.response import response_object
from gateway.protocol.responses.thoughts import RedactedThinking, Thinking, opened
from tests.protocol.responses.writing import ANSWERED, USAGE, answered, request

TOOLS = [
    {"type": "function", "name": "read", "parameters": {"type": "object"}, "strict": False},
    {"type": "custom", "name": "apply_patch"},
    {
        "type": "namespace",
        "name": "agents",
        "description": "Agents.",
        "tools": [{"type": "function", "name": "spawn"}],
    },
    {"type": "web_search"},
]
HELLO = {"type": "text", "text": "Hello."}


def unreadable(message: bytes) -> str:
    with pytest.raises(InternalError) as caught:
        response_object(message, request=request(), **ANSWERED)
    return caught.value.message


def tool_use(name: str, **given: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": "toolu_1", "name": name, "input": given}


def test_a_text_is_a_whole_response() -> None:
    assert answered(HELLO, usage=USAGE | {"output_tokens": 5}) == {
        "id": "resp_1",
        "object": "response",
        "created_at": 1_700_000_000,
        "status": "completed",
        "model": "gpt-x",
        "background": False,
        "store": False,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "metadata": {},
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "temperature": None,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": None,
        "truncation": "disabled",
        "output": [
            {
                "type": "message",
                "id": "msg_1_0",
                "status": "completed",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "Hello.", "annotations": [], "logprobs": []}],
            }
        ],
        "usage": {
            "input_tokens": 27,
            "input_tokens_details": {"cached_tokens": 20, "cache_write_tokens": 4},
            "output_tokens": 5,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 32,
        },
    }


def test_the_settings_are_repeated_and_the_tools_that_were_carried() -> None:
    settings = {
        "instructions": "Be kind.",
        "metadata": {"a": "b"},
        "reasoning": {"effort": "low"},
        "temperature": 0.5,
        "tool_choice": {"type": "function", "name": "read"},
        "parallel_tool_calls": False,
        "user": "u1",
    }

    response = answered(HELLO, tools=TOOLS, **settings)

    assert {name: response[name] for name in settings} == settings
    assert response["tools"] == TOOLS[:3]


def test_calls_come_by_the_names_that_the_caller_knows() -> None:
    response = answered(
        tool_use("read", path="a"),
        tool_use("apply_patch", input="*** Begin Patch"),
        tool_use("agents__spawn"),
        tool_use("unheard_of"),
        stop_reason="tool_use",
        tools=TOOLS,
    )

    assert response["output"] == [
        {
            "type": "function_call",
            "id": "fc_1_0",
            "status": "completed",
            "arguments": '{"path": "a"}',
            "call_id": "toolu_1",
            "name": "read",
        },
        {
            "type": "custom_tool_call",
            "id": "fc_1_1",
            "status": "completed",
            "input": "*** Begin Patch",
            "call_id": "toolu_1",
            "name": "apply_patch",
        },
        {
            "type": "function_call",
            "id": "fc_1_2",
            "status": "completed",
            "arguments": "{}",
            "call_id": "toolu_1",
            "name": "spawn",
            "namespace": "agents",
        },
        {
            "type": "function_call",
            "id": "fc_1_3",
            "status": "completed",
            "arguments": "{}",
            "call_id": "toolu_1",
            "name": "unheard_of",
        },
    ]


def test_a_custom_tool_that_was_called_with_something_else_gets_what_the_model_wrote() -> None:
    [item] = answered(tool_use("apply_patch", patch="x"), tools=TOOLS)["output"]

    assert item["input"] == '{"patch": "x"}'


def test_a_thought_is_a_summary_and_comes_back_from_what_is_sealed() -> None:
    thinking, redacted, unsigned = answered(
        {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "b3Bh"},
        {"type": "thinking", "thinking": "Oh.", "signature": ""},
    )["output"]

    assert thinking["summary"] == [{"type": "summary_text", "text": "Hm."}]
    assert opened(thinking["encrypted_content"]) == Thinking("Hm.", "c2ln")
    assert redacted["summary"] == []
    assert opened(redacted["encrypted_content"]) == RedactedThinking("b3Bh")
    assert (unsigned["summary"][0]["text"], unsigned["encrypted_content"]) == ("Oh.", None)


@pytest.mark.parametrize(
    ("stop_reason", "status", "reason"),
    [
        ("end_turn", "completed", None),
        ("stop_sequence", "completed", None),
        ("pause_turn", "completed", None),
        ("max_tokens", "incomplete", "max_output_tokens"),
        ("model_context_window_exceeded", "incomplete", "max_output_tokens"),
        ("refusal", "incomplete", "content_filter"),
    ],
)
def test_the_stop_reason_decides_the_status(stop_reason: str, status: str, reason: str | None) -> None:
    response = answered(HELLO, HELLO, stop_reason=stop_reason)

    details = response["incomplete_details"] or {"reason": None}
    assert (response["status"], details["reason"]) == (status, reason)
    assert [item["status"] for item in response["output"]] == ["completed", status]


def test_blocks_without_an_equal_and_empty_texts_are_not_told() -> None:
    response = answered(
        {"type": "text", "text": ""},
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}},
        HELLO,
    )

    assert [item["id"] for item in response["output"]] == ["msg_1_0"]


def test_the_sdk_reads_it_strictly() -> None:
    response = answered(
        {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
        HELLO,
        {"type": "text", "text": " And bye."},
        tool_use("read", path="a"),
        tool_use("apply_patch", input="x"),
        tools=TOOLS[:3],
        usage=USAGE,
    )

    read = Response.model_validate(response, strict=True)

    assert read.output_text == "Hello. And bye."
    assert [item.type for item in read.output] == [
        "reasoning",
        "message",
        "message",
        "function_call",
        "custom_tool_call",
    ]
    assert read.usage is not None and read.usage.total_tokens == 28


@pytest.mark.parametrize("message", [b"{}", b"<html>", b'{"content":[{"type":"text","text":5}]}', b'"\xff"'])
def test_what_is_no_message_is_the_providers_fault(message: bytes) -> None:
    assert unreadable(message) == "The provider sent an answer that cannot be read."
