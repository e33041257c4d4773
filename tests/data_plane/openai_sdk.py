"""The official `openai` SDK as a tenant points it at the gateway, and what tests of it have in common."""

from __future__ import annotations

import time
from typing import Any

import openai
from openai.types.chat import ChatCompletionChunk

from gateway.metering.event import UsageEvent
from tests.data_plane.house import JSON, SCRIPTED, SIMULATED, TRANSLATED, House, Tenant
from tests.data_plane.said import HELLO, frames_of
from tests.data_plane.wire import Answer
from tests.upstream import LAST_CHUNK, Close, Hang, Reset, Script, Send, chunk, stream_head

BOTH = [SCRIPTED, TRANSLATED]  # a provider of each dialect
EVERY = [*BOTH, SIMULATED[0]]
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def client_of(house: House, key: str = "", path: str = "/v1") -> openai.OpenAI:
    """One that does not try again; by default with the key that has no limits."""
    return openai.OpenAI(base_url=house.base_url + path, api_key=key or house.key, max_retries=0)


def chat_of(model: str, script: str = "", **fields: Any) -> Any:
    """A usual chat completions request; `script` names what the provider is to do."""
    return {"model": model, "messages": [{"role": "user", "content": f"Hello {script}"}], **fields}


def post_chat(house: House, body: bytes | dict[str, Any], **how: Any) -> Answer:
    return house.post(body, path="/v1/chat/completions", usual=(JSON,), **how)


def text_of(chunks: list[ChatCompletionChunk]) -> list[str]:
    """The pieces of text that a chat completion was streamed in."""
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    return [delta.content for delta in deltas if delta.content]


def begun(model: str) -> Script:
    """The beginning of a stream: two pieces of text."""
    return [Send(stream_head()), *map(Send, map(chunk, frames_of(model, HELLO)[:5]))]


def the_rest(model: str) -> Script:
    return [*map(Send, map(chunk, frames_of(model, HELLO)[5:])), Send(LAST_CHUNK)]


# What may become of a stream that has begun.
FAULTS: dict[str, Script] = {
    "closes": [Close()],
    "resets": [Reset()],
    "hangs": [Hang()],
    "ends early": [Send(LAST_CHUNK)],
    "sends garbage": [Send(chunk(b"data: {oops\n\n")), Send(LAST_CHUNK)],
}


def settled_for(house: House, tenant: Tenant) -> UsageEvent:
    """The event of a tenant that asked once."""
    deadline = time.monotonic() + 3
    while not (found := [event for event in house.events() if event.api_key_id == tenant.key_id]):
        assert time.monotonic() < deadline, "nothing was settled"
        time.sleep(0.02)
    (event,) = found
    return event
