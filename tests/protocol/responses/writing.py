"""A Responses request as a dict in, what the provider would get as a dict out; Anthropic's answers as events."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.errors import InvalidRequest
from gateway.protocol.anthropic.families import Family, family_of
from gateway.protocol.body import parse
from gateway.protocol.responses.request import ResponsesRequest, responses_request
from gateway.protocol.responses.response import response_object
from gateway.protocol.responses.stream import ResponsesEvents
from gateway.protocol.responses.to_anthropic import AnthropicRequest, anthropic_request

ADAPTIVE = family_of("claude-opus-4-6")
ANSWERED = {"response_id": "resp_1", "model": "gpt-x", "created": 1_700_000_000}


def request(**fields: Any) -> ResponsesRequest:
    return responses_request(parse(json.dumps({"model": "gpt-x", "input": "Hello"} | fields).encode()))


def written(
    *, family: Family = ADAPTIVE, max_output_tokens: int | None = None, **fields: Any
) -> AnthropicRequest:
    return anthropic_request(
        request(**fields), model="claude-x", family=family, max_output_tokens=max_output_tokens
    )


def sent(**fields: Any) -> dict[str, Any]:
    return json.loads(written(**fields).body)


def messages(*items: dict[str, Any], **fields: Any) -> list[tuple[str, Any]]:
    """The turns that items become, as (role, blocks)."""
    return [(each["role"], each["content"]) for each in sent(input=list(items), **fields)["messages"]]


def refusal(**fields: Any) -> str:
    with pytest.raises(InvalidRequest) as caught:
        written(**fields)
    return caught.value.message


def answered(
    *content: dict[str, Any], stop_reason: str = "end_turn", usage: Any = None, **fields: Any
) -> dict[str, Any]:
    """The Response for a message of these blocks to a request of these fields."""
    message = {"content": content, "stop_reason": stop_reason, "usage": usage or {"output_tokens": 1}}
    return json.loads(response_object(json.dumps(message).encode(), request=request(**fields), **ANSWERED))


def events(**fields: Any) -> ResponsesEvents:
    return ResponsesEvents(request(**fields), **ANSWERED)


def frame(**event: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (event["type"].encode(), json.dumps(event).encode())


def told(stream: bytes) -> list[dict[str, Any]]:
    """The events of a stream, comments left out."""
    return [
        json.loads(line.removeprefix("data: "))
        for line in stream.decode().split("\n")
        if line.startswith("data: ")
    ]


def streamed(
    *content: dict[str, Any], stop_reason: str = "end_turn", piece: int = 5, stop_details: Any = None
) -> bytes:
    """Anthropic's stream of a message of these blocks, texts in pieces of so many characters."""
    start = {"id": "msg_1", "type": "message", "role": "assistant", "content": [], "usage": USAGE}
    frames = [frame(type="message_start", message=start), frame(type="ping")]
    for index, block in enumerate(content):
        frames.append(
            frame(type="content_block_start", index=index, content_block={**block, **_EMPTY[block["type"]]})
        )
        frames += [
            frame(type="content_block_delta", index=index, delta=each) for each in _deltas(block, piece)
        ]
        frames.append(frame(type="content_block_stop", index=index))
    delta = {"stop_reason": stop_reason, "stop_sequence": None, "stop_details": stop_details}
    frames.append(frame(type="message_delta", delta=delta, usage={"output_tokens": 7}))
    return b"".join([*frames, frame(type="message_stop")])


USAGE = {
    "input_tokens": 3,
    "cache_read_input_tokens": 20,
    "cache_creation_input_tokens": 4,
    "output_tokens": 1,
}
_EMPTY: dict[str, dict[str, Any]] = {
    "text": {"text": ""},
    "thinking": {"thinking": "", "signature": ""},
    "redacted_thinking": {},
    "tool_use": {"input": {}},
}


def _deltas(block: dict[str, Any], piece: int) -> list[dict[str, Any]]:
    if block["type"] == "text":
        return [{"type": "text_delta", "text": each} for each in _cut(block["text"], piece)]
    if block["type"] == "thinking":
        thoughts = [{"type": "thinking_delta", "thinking": each} for each in _cut(block["thinking"], piece)]
        signed = [{"type": "signature_delta", "signature": block["signature"]}] if block["signature"] else []
        return thoughts + signed
    if block["type"] == "tool_use" and block["input"]:
        encoded = json.dumps(block["input"], separators=(",", ":"), ensure_ascii=False)
        return [{"type": "input_json_delta", "partial_json": each} for each in _cut(encoded, piece)]
    return []


def _cut(text: str, piece: int) -> list[str]:
    return [text[at : at + piece] for at in range(0, len(text), piece)]
