"""Reading a request's body: counted while it comes, bounded in size and in time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from gateway.consumers.headers import Headers
from gateway.errors import RequestTimeout, TooLarge, UnsupportedEncoding

MAX_BYTES = 32 * 1024 * 1024
IDLE_SECONDS = 30.0
# A client that sends too much often reads the answer only once it has sent all: some of the rest is read away.
DISCARD_BYTES = 64 * 1024 * 1024
DISCARD_SECONDS = 5.0


class ClientGone(Exception):
    """The client left before its request was complete."""


async def read_body(receive: Any, headers: Headers, limit: int = MAX_BYTES) -> bytes:
    """The whole body. Raises `TooLarge`, `UnsupportedEncoding`, `RequestTimeout` or `ClientGone`."""
    _check_declared(headers, limit)
    parts: list[bytes] = []
    size = 0
    while True:
        message = await _receive(receive)
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        parts.append(part)
        if not message.get("more_body"):
            return parts[0] if len(parts) == 1 else b"".join(parts)


async def body_parts(receive: Any, headers: Headers, limit: int) -> AsyncIterator[bytes]:
    """As `read_body`, part by part as they come: none is kept."""
    _check_declared(headers, limit)
    size, more = 0, True
    while more:
        message = await _receive(receive)
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        yield part
        more = message.get("more_body", False)


def _check_declared(headers: Headers, limit: int) -> None:
    if headers.get(b"content-encoding", b"identity").lower() not in (b"identity", b""):
        raise UnsupportedEncoding("content-encoding: compressed requests are not supported")
    declared = headers.get(b"content-length", b"0")
    if declared.isdigit() and int(declared[:20]) > limit:
        raise _too_large(limit)


async def _receive(receive: Any) -> dict[str, Any]:
    """The next message of the body. Raises `RequestTimeout` or `ClientGone`."""
    try:
        async with asyncio.timeout(IDLE_SECONDS):
            message: dict[str, Any] = await receive()
    except TimeoutError:
        raise RequestTimeout(f"The request body did not come within {IDLE_SECONDS:g} seconds.") from None
    if message["type"] == "http.disconnect":
        raise ClientGone
    return message


async def discard_body(receive: Any) -> None:
    """Read the rest of a refused body away: a client that is still sending may not see the refusal otherwise."""
    size, more = 0, True
    try:
        async with asyncio.timeout(DISCARD_SECONDS):
            while more and size < DISCARD_BYTES:
                message = await receive()
                size += len(message.get("body", b""))
                more = message.get("more_body", False)
    except TimeoutError:
        return


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"Request exceeds the maximum allowed number of bytes ({limit}).")
