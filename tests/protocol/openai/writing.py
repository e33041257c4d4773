"""A Messages request as a dict in, what the provider would get as a dict out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.errors import InvalidRequest
from gateway.protocol.anthropic.request import message_request
from gateway.protocol.body import parse
from gateway.protocol.openai.profile import DEFAULT, Profile
from gateway.protocol.openai.request import OpenAIRequest, openai_request


def written(
    *, profile: Profile = DEFAULT, max_output_tokens: int | None = None, **fields: Any
) -> OpenAIRequest:
    """The request with `fields`, by default one user message that says hello."""
    plain = {
        "model": "claude-x",
        "max_tokens": 100,
        "messages": [{"role": "user", "content": "Hello"}],
    }
    request = message_request(parse(json.dumps(plain | fields).encode()))
    return openai_request(request, model="real-model", profile=profile, max_output_tokens=max_output_tokens)


def sent(**fields: Any) -> dict[str, Any]:
    return json.loads(written(**fields).body)


def messages(*turns: tuple[str, Any], **fields: Any) -> list[dict[str, Any]]:
    """What becomes of a conversation of (role, content) pairs."""
    return sent(messages=[{"role": role, "content": content} for role, content in turns], **fields)[
        "messages"
    ]


def refusal(**fields: Any) -> str:
    with pytest.raises(InvalidRequest) as caught:
        written(**fields)
    return caught.value.message


def refused_block(block: dict[str, Any], role: str = "user", **fields: Any) -> str:
    return refusal(messages=[{"role": role, "content": [block]}], **fields)
