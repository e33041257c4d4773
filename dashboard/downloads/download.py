"""Files that are made while they are sent: a reader that is slow holds a cursor and one piece, not the whole.

Under ASGI the pieces are made in the request's own thread, which is where its database connection is; under WSGI and
Django's test client they are made where the response is read.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse

PIECE = 64 * 1024  # characters


def download(
    request: HttpRequest, filename: str, content_type: str, lines: Iterable[str]
) -> StreamingHttpResponse:
    """`filename` holds letters, digits, dots, dashes and underscores only."""
    pieces = _pieces(lines)
    response = StreamingHttpResponse(
        _in_thread(pieces) if isinstance(request, ASGIRequest) else pieces, content_type=content_type
    )
    response["Content-Disposition"] = f'attachment; filename="{filename}"'
    response["X-Accel-Buffering"] = "no"
    return response


def _pieces(lines: Iterable[str]) -> Iterator[bytes]:
    held: list[str] = []
    size = 0
    for line in lines:
        held.append(line)
        size += len(line)
        if size >= PIECE:
            yield "".join(held).encode()
            held, size = [], 0
    yield "".join(held).encode()


async def _in_thread(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    following = sync_to_async(_following)
    while (piece := await following(pieces)) is not None:
        yield piece


def _following(pieces: Iterator[bytes]) -> bytes | None:
    return next(pieces, None)
