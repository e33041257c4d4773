"""The answer to a request for no output (`max_tokens: 0`), which only warms Anthropic's prompt cache.

Providers of the OpenAI dialect keep no such cache and refuse the number, so nobody is asked and nothing is billed.
"""

from __future__ import annotations

import msgspec

from gateway.directory.catalog import Target
from gateway.engine.attempt import JsonAnswer, OpenStream
from gateway.engine.call import Call
from gateway.engine.passages.passage import Whole
from gateway.ids import new_message_id
from gateway.protocol.anthropic.blocks import BlockWriter
from gateway.protocol.anthropic.relay import StreamReader
from gateway.protocol.anthropic.usage import Usage

STOP_REASON = "max_tokens"


class NoReply:
    """The rest of a stream of which everything has been said."""

    status = 200
    headers: list[tuple[bytes, bytes]] = []  # noqa: RUF012 - never changed

    async def read(self, seconds: float) -> bytes:
        return b""

    async def read_all(self, limit: int, seconds: float) -> bytes:
        return b""

    async def aclose(self) -> None:
        """Nothing is open."""


def asks_for_nothing(call: Call, target: Target) -> bool:
    return call.max_tokens == 0 and target.dialect == "openai" and call.surface.dialect == "anthropic"


def nothing(call: Call) -> JsonAnswer | OpenStream:
    """A message without content, whole or as a stream."""
    usage = Usage(input_tokens=0, output_tokens=0)
    message_id = new_message_id()
    if not call.stream:
        return JsonAnswer([], Whole(_message(message_id, call, usage), usage, STOP_REASON))
    writer = BlockWriter()
    frames = (
        writer.start(message_id=message_id, model=call.model.name, input_tokens=0)
        + writer.message_delta(stop_reason=STOP_REASON, stop_sequence=None, usage=usage)
        + writer.message_stop()
    )
    reader = StreamReader()
    reader.feed(frames)
    return OpenStream([], frames, reader, NoReply())


def _message(message_id: str, call: Call, usage: Usage) -> bytes:
    message: dict[str, object] = {
        "id": message_id,
        "type": "message",
        "role": "assistant",
        "model": call.model.name,
        "content": [],
        "stop_reason": STOP_REASON,
        "stop_sequence": None,
        "usage": {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens},
    }
    return msgspec.json.encode(message)
