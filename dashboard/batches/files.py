"""Results of a batch as a file of lines, for a browser: read piece by piece, as fast as it is taken."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from django.http import HttpRequest, StreamingHttpResponse

from admin_api.queries.batch_items import result_lines
from dashboard.downloads.download import download
from gateway.models import MessageBatch


def file_of(
    request: HttpRequest, batch: MessageBatch, name: str, states: Collection[str]
) -> StreamingHttpResponse:
    """Of the items in these states, which have all ended."""
    return download(request, f"{batch.id}-{name}.jsonl", "application/x-ndjson", _pages(batch, states))


def _pages(batch: MessageBatch, states: Collection[str]) -> Iterator[str]:
    after = -1
    while (page := result_lines(batch.id, after, states)) is not None:
        after, lines = page
        yield lines.decode()
