"""A bound on the bodies that go to Django, which would write an endless one to disk before any view sees it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from gateway.errors import TooLarge, envelope
from gateway.ids import new_request_id

MAX_BYTES = 2 * 1024 * 1024  # forms and Admin API calls; the data plane has its own, larger bound

Application = Callable[[Any, Any, Any], Awaitable[None]]


class BoundedBody:
    """An ASGI application before another: 413 for a body that says it is too large, a broken-off request for
    one that turns out to be."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared[:20]) > MAX_BYTES:
            await _refuse(send)
            return
        await self._application(scope, _counted(receive), send)


def _counted(receive: Any) -> Any:
    received = 0

    async def counting() -> Any:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        return {"type": "http.disconnect"} if received > MAX_BYTES else message

    return counting


async def _refuse(send: Any) -> None:
    request_id = new_request_id()
    error = TooLarge(f"Request exceeds the maximum allowed number of bytes ({MAX_BYTES}).")
    body = envelope(error, request_id)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"request-id", request_id.encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
