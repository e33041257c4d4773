"""The door of the simulator: the body of a request in, a provider's answer out."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass

import msgspec

from gateway.errors import GatewayError, envelope
from gateway.simulator import composition, request, rules, stream, tokens

_JSON = (b"content-type", b"application/json")
_SSE = (b"content-type", b"text/event-stream; charset=utf-8")
_SIMULATED = (b"x-simulated", b"true")
_LARGE = 64 * 1024  # bytes; reading more would hold up the event loop, so it is done in a thread


@dataclass(slots=True)
class SimulatedReply:
    """What a provider would have sent. Reading `chunks` takes the simulated time; `aclose` ends it early."""

    status: int
    headers: list[tuple[bytes, bytes]]
    chunks: AsyncIterator[bytes]

    async def aclose(self) -> None:
        """Stop producing; safe at any moment and more than once."""
        if isinstance(self.chunks, AsyncGenerator):
            await self.chunks.aclose()


async def answer(body: bytes, *, version: str, delay: float, request_id: str = "") -> SimulatedReply:
    """Answer one POST /v1/messages.

    `version` is the caller's `anthropic-version`; `delay` is seconds between two events of a stream and
    before a JSON answer; `request_id` goes into an error body. A refusal comes back as status 400.
    """
    try:
        small = len(body) <= _LARGE
        streamed, parts = _parts(body, version) if small else await asyncio.to_thread(_parts, body, version)
    except GatewayError as refusal:
        return SimulatedReply(refusal.status, [_JSON, _SIMULATED], _one(envelope(refusal, request_id), 0))
    if streamed:
        return SimulatedReply(200, [_SSE, _SIMULATED], _paced(parts, delay))
    return SimulatedReply(200, [_JSON, _SIMULATED], _one(parts[0], delay))


def count_tokens(body: bytes) -> int:
    """Input tokens of a POST /v1/messages/count_tokens body; the figure `usage.input_tokens` would show.

    Raises `errors.InvalidRequest` for what the simulator's messages endpoint refuses too.
    """
    asked = request.parse(body)
    rules.check_prompt(asked)
    return tokens.of_prompt(asked)


def _parts(body: bytes, version: str) -> tuple[bool, list[bytes]]:
    """Whether a stream was asked for, and its frames, or the one JSON document."""
    asked = request.parse(body)
    rules.check(asked, version)
    message = composition.compose(asked)
    rules.check_length(message.usage.input_tokens)
    message.id = f"msg_01{secrets.token_hex(11)}"
    return asked.stream, stream.frames(message) if asked.stream else [msgspec.json.encode(message)]


async def _one(body: bytes, delay: float) -> AsyncGenerator[bytes, None]:
    if delay:
        await asyncio.sleep(delay)
    yield body


async def _paced(frames: list[bytes], delay: float) -> AsyncGenerator[bytes, None]:
    for position, frame in enumerate(frames):
        if position:
            await asyncio.sleep(delay)
        yield frame
