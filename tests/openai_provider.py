"""What a provider of the OpenAI dialect says, for the scripts of `tests/upstream.py`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

Json = dict[str, Any]

USAGE: Json = {
    "prompt_tokens": 25,
    "completion_tokens": 12,
    "total_tokens": 37,
    "prompt_tokens_details": {"cached_tokens": 5},
    "completion_tokens_details": {"reasoning_tokens": 0},
}
_HEAD: Json = {"id": "chatcmpl-provider", "created": 1_767_225_600, "model": "upstream-model-2026-01-01"}
DONE = b"data: [DONE]\n\n"


def completion(
    content: str | None = "Hello from the provider.", *, finish_reason: str = "stop", **message: Any
) -> Json:
    """A whole chat completion; `message` adds to the assistant's message."""
    said = {"role": "assistant", "content": content, "refusal": None, **message}
    choice = {"index": 0, "message": said, "logprobs": None, "finish_reason": finish_reason}
    return {**_HEAD, "object": "chat.completion", "choices": [choice], "usage": USAGE}


def call(name: str, arguments: Json | str, call_id: str = "call_1") -> Json:
    """A tool call as it stands in a message."""
    told = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": told}}


def chunk(delta: Json, finish_reason: str | None = None, **more: Any) -> Json:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    return {**_HEAD, "object": "chat.completion.chunk", "choices": [choice], **more}


def chunks(
    text: Sequence[str] = ("Hello", " from", " the", " provider."),
    *,
    finish_reason: str = "stop",
    usage: Json | None = USAGE,
) -> list[Json]:
    """The chunks of a text answer: role, pieces, finish, usage."""
    told = [{**_HEAD, "object": "chat.completion.chunk", "choices": [], "usage": usage}] if usage else []
    return [
        chunk({"role": "assistant", "content": ""}),
        *(chunk({"content": piece}) for piece in text),
        chunk({}, finish_reason),
        *told,
    ]


def frame(data: Json) -> bytes:
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def frames(several: Iterable[Json] | None = None) -> list[bytes]:
    """Chunks as they are sent, with what ends them."""
    return [*map(frame, chunks() if several is None else several), DONE]


def error(message: str, kind: str = "invalid_request_error", code: str | None = None) -> Json:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}
