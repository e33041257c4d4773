"""A provider's chunks in the short, and what an Anthropic client is told of them."""

from __future__ import annotations

import itertools
import json
from typing import Any

from gateway.protocol.anthropic.fold import message_of
from gateway.protocol.anthropic.relay import State
from gateway.protocol.openai.stream import OpenAIStream
from tests import stream_grammar

Json = dict[str, Any]

DONE = b"data: [DONE]\n\n"
ROLE = {"role": "assistant", "content": ""}
USAGE = {"prompt_tokens": 20, "completion_tokens": 7, "total_tokens": 27}


def frame(body: object) -> bytes:
    return b"data: " + json.dumps(body, ensure_ascii=False).encode() + b"\n\n"


def delta(delta: Json | None, **chunk: object) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": None}
    return frame({"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": [choice], **chunk})


def finish(reason: str | None = "stop", **choice: object) -> bytes:
    choice = {"index": 0, "delta": {}, "finish_reason": reason, **choice}
    return frame({"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": [choice]})


def usage(told: Json | None = None) -> bytes:
    return frame({"choices": [], "usage": told or USAGE})


def text(content: str) -> bytes:
    return delta({"content": content})


def call(arguments: str | None = None, name: str | None = None, **fragment: object) -> bytes:
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    return delta({"tool_calls": [{**fragment, "function": function}]})


def opened(**options: Any) -> OpenAIStream:
    minted = itertools.count(1)
    settings = {"message_id": "msg_1", "model": "catalog-name", "input_estimate": 12}
    return OpenAIStream(mint=lambda: f"toolu_01minted{next(minted)}", **{**settings, **options})


def translated(*stream: bytes, **options: Any) -> tuple[OpenAIStream, bytes]:
    """All of a provider's stream at once, and what came of it; always a stream by the grammar."""
    reader = opened(**options)
    events = reader.feed(b"".join(stream)) + reader.finish()
    stream_grammar.read(events, may_fail=True)
    return reader, events


def message(*stream: bytes, **options: Any) -> Json:
    return json.loads(message_of(translated(*stream, **options)[1]))


def content(*stream: bytes, **options: Any) -> list[Json]:
    return message(*stream, finish(), DONE, **options)["content"]


def error(*stream: bytes, **options: Any) -> tuple[str, str]:
    """The error event that ends the stream, after content."""
    reader, events = translated(*stream, **options)
    last = stream_grammar.read(events, may_fail=True)[-1]
    assert (last["type"], reader.state, reader.error is not None) == ("error", State.FAILED, True)
    return last["error"]["type"], last["error"]["message"]


def tool(call_id: str, name: str, arguments: Json) -> Json:
    return {"type": "tool_use", "id": call_id, "name": name, "input": arguments}
