"""Results of a batch as a file of lines, for a browser: read piece by piece, as fast as it is taken."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection

from asgiref.sync import sync_to_async
from django.db import close_old_connections
from django.http import StreamingHttpResponse

from admin_api.queries.batch_items import result_lines
from gateway.models import MessageBatch


def file_of(batch: MessageBatch, name: str, states: Collection[str]) -> StreamingHttpResponse:
    response = StreamingHttpResponse(lines(batch.id, states), content_type="application/x-ndjson")
    response["Content-Disposition"] = f'attachment; filename="{batch.id}-{name}.jsonl"'
    return response


async def lines(batch_id: str, states: Collection[str]) -> AsyncIterator[bytes]:
    """Between two pieces neither a thread nor a connection is held."""
    after = -1
    while (page := await sync_to_async(_read)(batch_id, after, states)) is not None:
        after, piece = page
        yield piece


def _read(batch_id: str, after: int, states: Collection[str]) -> tuple[int, bytes] | None:
    try:
        return result_lines(batch_id, after, states)
    finally:
        close_old_connections()
