"""A chat completions request as a dict in, what an Anthropic provider would get as a dict out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.errors import InvalidRequest
from gateway.protocol.anthropic.families import Family, family_of
from gateway.protocol.body import parse
from gateway.protocol.chat.request import ChatRequest, chat_request
from gateway.protocol.chat.to_anthropic import AnthropicRequest, anthropic_request

NEWEST = family_of("claude-opus-4-8")
ADAPTIVE = family_of("claude-opus-4-6")
BUDGET = family_of("claude-sonnet-4-5")
OLD = family_of("claude-3-5-haiku-20241022")


def asked(**fields: Any) -> ChatRequest:
    """The request with `fields`, by default one user message that says hello."""
    plain = {"model": "house", "messages": [{"role": "user", "content": "Hello"}]}
    return chat_request(parse(json.dumps(plain | fields).encode()))


def written(family: Family = ADAPTIVE, most: int | None = None, **fields: Any) -> AnthropicRequest:
    return anthropic_request(asked(**fields), model="claude-x", family=family, max_output_tokens=most)


def sent(family: Family = ADAPTIVE, most: int | None = None, **fields: Any) -> dict[str, Any]:
    return json.loads(written(family, most, **fields).body)


def messages(*given: dict[str, Any], **fields: Any) -> list[dict[str, Any]]:
    return sent(messages=list(given), **fields)["messages"]


def refusal(family: Family = ADAPTIVE, **fields: Any) -> str:
    with pytest.raises(InvalidRequest) as caught:
        written(family, **fields)
    return caught.value.message


def refused(*given: dict[str, Any]) -> str:
    return refusal(messages=list(given))


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def said(content: Any = None, *calls: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "role": "assistant",
        "content": content,
        **({"tool_calls": list(calls)} if calls else {}),
        **fields,
    }


def call(call_id: str, arguments: Any = "{}", name: str = "read") -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def result(call_id: str, content: Any = "done") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def tool(name: str = "read", **fields: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, **fields}}
