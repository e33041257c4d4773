"""A bound on the bodies that go to Django, which would write an endless one to disk before any view sees it.

One page takes files, and so much larger bodies; of these there are never more than a few at a time, since who sends
them is asked only once they are here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from gateway.errors import GatewayError, Overloaded, TooLarge, envelope
from gateway.ids import new_request_id

MAX_BYTES = 2 * 1024 * 1024  # forms and Admin API calls; the data plane has its own, larger bound

MAX_UPLOAD_BYTES = 32 * 1024 * 1024
UPLOADS = "/batches/new"
UPLOADS_AT_ONCE = 4  # of one process

Application = Callable[[Any, Any, Any], Awaitable[None]]


class BoundedBody:
    """An ASGI application before another: 413 for a body that says it is too large, a broken-off request for
    one that turns out to be."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._uploads = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        length = int(declared[:20]) if declared.isdigit() else 0
        if length <= MAX_BYTES:
            await self._application(scope, _counted(receive, MAX_BYTES), send)
        elif scope.get("path") != UPLOADS or length > MAX_UPLOAD_BYTES:
            await _refuse(
                send, TooLarge(f"Request exceeds the maximum allowed number of bytes ({_most(scope)}).")
            )
        elif self._uploads >= UPLOADS_AT_ONCE:
            await _refuse(send, Overloaded("Too many files are being sent in. Please try again shortly."))
        else:
            await self._upload(scope, receive, send)

    async def _upload(self, scope: Any, receive: Any, send: Any) -> None:
        self._uploads += 1
        try:
            await self._application(scope, _counted(receive, MAX_UPLOAD_BYTES), send)
        finally:
            self._uploads -= 1


def _most(scope: Any) -> int:
    return MAX_UPLOAD_BYTES if scope.get("path") == UPLOADS else MAX_BYTES


def _counted(receive: Any, most: int) -> Any:
    received = 0

    async def counting() -> Any:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        return {"type": "http.disconnect"} if received > most else message

    return counting


async def _refuse(send: Any, error: GatewayError) -> None:
    request_id = new_request_id()
    body = envelope(error, request_id)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"request-id", request_id.encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
