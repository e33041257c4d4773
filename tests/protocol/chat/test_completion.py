"""An Anthropic message as a chat completion."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai.types.chat import ChatCompletion

from gateway.errors import InternalError
from gateway.protocol.chat.completion import chat_completion

TEXT = {"type": "text", "text": "Hello", "citations": None}
USE = {
    "type": "tool_use",
    "id": "toolu_1",
    "name": "read",
    "input": {"path": "é"},
    "caller": {"type": "direct"},
}
CALL = {"id": "toolu_1", "type": "function", "function": {"name": "read", "arguments": '{"path": "é"}'}}


def told(*content: Any, functions: bool = False, **fields: Any) -> dict[str, Any]:
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": content,
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 5, "output_tokens": 7},
    }
    body = chat_completion(
        json.dumps(message | fields, ensure_ascii=False).encode(),
        completion_id="chatcmpl-1",
        model="house",
        created=1_760_000_000,
        functions=functions,
    )
    ChatCompletion.model_validate_json(body)
    return json.loads(body)


def message_of(*content: Any, **fields: Any) -> dict[str, Any]:
    return told(*content, **fields)["choices"][0]["message"]


def test_a_text_is_a_completion() -> None:
    assert told(TEXT) == {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_760_000_000,
        "model": "house",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello", "refusal": None},
                "finish_reason": "stop",
                "logprobs": None,
            }
        ],
        "usage": {
            "prompt_tokens": 5,
            "completion_tokens": 7,
            "total_tokens": 12,
            "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
    }


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ([], {"content": ""}),
        ([TEXT, {"type": "text", "text": ", you"}], {"content": "Hello, you"}),
        ([USE], {"content": None, "tool_calls": [CALL]}),
        ([TEXT, USE], {"content": "Hello", "tool_calls": [CALL]}),
        (
            [
                {"type": "thinking", "thinking": "Hm", "signature": "c2ln"},
                {"type": "redacted_thinking", "data": "eA=="},
                {"type": "thinking", "thinking": "m.", "signature": "c2ln"},
                TEXT,
            ],
            {"content": "Hello", "reasoning_content": "Hmm."},
        ),
        ([{"type": "thinking", "thinking": "", "signature": "c2ln"}, TEXT], {"content": "Hello"}),
        (
            [
                {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}},
                {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
                {"type": "something_new", "text": 5, "input": None},
                TEXT,
            ],
            {"content": "Hello"},
        ),
    ],
)
def test_blocks_are_told_by_kind(content: list[Any], expected: dict[str, Any]) -> None:
    assert message_of(*content) == {"role": "assistant", "refusal": None} | expected


@pytest.mark.parametrize(
    ("stop_reason", "finish_reason"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("pause_turn", "stop"),
        ("compaction", "stop"),
        ("tool_use", "tool_calls"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "content_filter"),
        ("something_new", "stop"),
        (None, "stop"),
    ],
)
def test_the_reason_of_the_end_is_translated(stop_reason: str | None, finish_reason: str) -> None:
    assert told(TEXT, stop_reason=stop_reason)["choices"][0]["finish_reason"] == finish_reason


def test_calls_without_a_reason_are_calls() -> None:
    assert told(USE, stop_reason=None)["choices"][0]["finish_reason"] == "tool_calls"


def test_a_refusal_tells_why_where_it_is_known() -> None:
    details = {"type": "refusal", "category": "cyber", "explanation": "Harm."}
    assert message_of(TEXT, stop_reason="refusal", stop_details=details)["refusal"] == "Harm."
    assert (
        message_of(TEXT, stop_reason="refusal", stop_details=details | {"explanation": None})["refusal"]
        is None
    )


def test_a_client_of_the_old_kind_gets_a_function_call() -> None:
    choice = told(USE, functions=True, stop_reason="tool_use")["choices"][0]
    assert choice["message"] == {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "function_call": {"name": "read", "arguments": '{"path": "é"}'},
    }
    assert choice["finish_reason"] == "function_call"


def test_the_prompt_is_counted_whole_with_what_was_cached_within_it() -> None:
    usage = {
        "input_tokens": 5,
        "cache_creation_input_tokens": 20,
        "cache_read_input_tokens": 100,
        "output_tokens": 7,
        "output_tokens_details": {"thinking_tokens": 3},
        "server_tool_use": None,
    }
    assert told(TEXT, usage=usage)["usage"] == {
        "prompt_tokens": 125,
        "completion_tokens": 7,
        "total_tokens": 132,
        "prompt_tokens_details": {"cached_tokens": 100, "cache_write_tokens": 20},
        "completion_tokens_details": {"reasoning_tokens": 3},
    }


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{}", b'{"type":"message"}', b'{"type":"error","content":[],"usage":{}}']
)
def test_what_is_no_message_is_the_providers_fault(body: bytes) -> None:
    with pytest.raises(InternalError) as caught:
        chat_completion(body, completion_id="chatcmpl-1", model="house", created=1)
    assert caught.value.message == "The provider sent an answer that cannot be read."
