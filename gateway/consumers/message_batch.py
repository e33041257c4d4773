"""Reading, cancelling and deleting batches: whatever is asked of one that exists, and the list of them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import msgspec

from gateway.batches import changes, reading, results
from gateway.batches.batch import ENDED, Batch, batch_of
from gateway.batches.intake import Intake
from gateway.batches.reading import Shelf
from gateway.batches.results import Span
from gateway.batches.store import BatchStore, Connection, Row
from gateway.consumers.batch_endpoint import BatchEndpoint, unavailable
from gateway.consumers.byte_range import NotSatisfiable, wanted_span
from gateway.consumers.page_query import page_query
from gateway.directory.store import StoreUnavailable
from gateway.engine.plane import Plane
from gateway.errors import InvalidRequest, NotFound


class BatchPage(msgspec.Struct, frozen=True):
    data: list[Batch]
    has_more: bool
    first_id: str | None
    last_id: str | None


class _OfWorkspace(BatchEndpoint):
    """What is asked of the batches of the caller's workspace."""

    async def shelf(self) -> Shelf:
        caller = await self.caller()
        return Shelf(caller.principal.organization_id, caller.workspace.id)

    @contextlib.asynccontextmanager
    async def connection(self, *, transaction: bool = False) -> AsyncIterator[Connection]:
        try:
            async with self.store.connection(transaction=transaction) as connection:
                yield connection
        except StoreUnavailable as problem:
            raise unavailable(problem) from problem

    async def send_batch(self, row: Row) -> None:
        await self.send_json(200, batch_of(row, self.own_address).wire(), [])

    @property
    def batch_id(self) -> str:
        return str(self.scope["url_route"]["kwargs"]["id"])

    def absent(self) -> NotFound:
        """The same for another workspace's batch as for none."""
        return NotFound(f"Message batch {self.batch_id[:100]} not found.")


class ListConsumer(_OfWorkspace):
    """`GET /v1/messages/batches`, which `MessageBatchesConsumer` hands over."""

    endpoint = "messages/batches"
    methods: tuple[str, ...] = ("GET", "HEAD")

    async def answer(self) -> None:
        shelf = await self.shelf()
        asked = page_query(self.scope["query_string"])
        async with self.connection() as connection:
            page = await reading.page(
                connection, shelf, limit=asked.limit, after_id=asked.after_id, before_id=asked.before_id
            )
        data = [batch_of(row, self.own_address) for row in page.rows]
        ends = (data[0].id, data[-1].id) if data else (None, None)
        await self.send_json(200, msgspec.json.encode(BatchPage(data, page.has_more, *ends)), [])


class MessageBatchConsumer(_OfWorkspace):
    """`GET` and `DELETE /v1/messages/batches/{id}`."""

    endpoint = "messages/batches/one"
    methods = ("GET", "HEAD", "DELETE")

    async def answer(self) -> None:
        shelf = await self.shelf()
        if self.scope["method"] == "DELETE":
            await self._delete(shelf)
            return
        async with self.connection() as connection:
            row = await reading.one(connection, shelf, self.batch_id)
        if row is None:
            raise self.absent()
        await self.send_batch(row)

    async def _delete(self, shelf: Shelf) -> None:
        async with self.connection(transaction=True) as connection:
            deleted = await changes.delete(connection, shelf, self.batch_id)
        if not deleted:
            raise self.absent()
        told = {"id": self.batch_id, "type": "message_batch_deleted"}
        await self.send_json(200, msgspec.json.encode(told), [])


class CancelConsumer(_OfWorkspace):
    """`POST /v1/messages/batches/{id}/cancel`."""

    endpoint = "messages/batches/cancel"

    def __init__(self, *, plane: Plane, store: BatchStore, intake: Intake) -> None:
        super().__init__(plane=plane, store=store)
        self.intake = intake

    async def answer(self) -> None:
        shelf = await self.shelf()
        async with self.connection() as connection:
            row = await changes.cancel(connection, shelf, self.batch_id)
        if row is None:
            raise self.absent()
        self.intake.tell_canceled()
        await self.send_batch(row)


class ResultsConsumer(_OfWorkspace):
    """`GET /v1/messages/batches/{id}/results`: all lines, or the `Range` of bytes that a broken download lacks."""

    endpoint = "messages/batches/results"
    methods = ("GET", "HEAD")

    async def answer(self) -> None:
        shelf = await self.shelf()
        async with self.connection() as connection:
            row = await reading.one(connection, shelf, self.batch_id)
            if row is None:
                raise self.absent()
            _check_there(row)
            size = await results.size(connection, self.batch_id)
        etag = f'"{self.batch_id}"'.encode()
        headers = [
            (b"content-type", b"application/x-jsonl"),
            (b"accept-ranges", b"bytes"),
            (b"etag", etag),
            (b"cache-control", b"private, no-transform"),
        ]
        try:
            part = wanted_span(self._range(etag), size)
        except NotSatisfiable:
            await self._refuse_range(size, headers)
            return
        if part is not None:
            headers.append((b"content-range", b"bytes %d-%d/%d" % (part.start, part.end - 1, size)))
        await self._send(Span(0, size) if part is None else part, 200 if part is None else 206, headers)

    def _range(self, etag: bytes) -> bytes | None:
        """What is wanted, if what the caller has of it already is of this document."""
        if self.headers.get(b"if-range", etag) != etag:
            return None
        return self.headers.get(b"range")

    async def _refuse_range(self, size: int, headers: list[tuple[bytes, bytes]]) -> None:
        told = (b"content-range", b"bytes */%d" % size)
        await self.start(416, [*headers, told, (b"content-length", b"0")])
        await self.base_send({"type": "http.response.body", "body": b""})

    async def _send(self, span: Span, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Each piece when the one before is gone. Where the rest does not come the connection is cut, and the client
        knows by the length that it has to come back."""
        await self.start(status, [*headers, (b"content-length", b"%d" % span.length)])
        if self.is_head:
            await self.base_send({"type": "http.response.body", "body": b""})
            return
        self.watch_disconnect()
        left = span.length
        async for piece in results.read(self.store, self.batch_id, span):
            left -= len(piece)
            await self.base_send({"type": "http.response.body", "body": piece, "more_body": left > 0})
        if left or not span.length:
            await self.base_send({"type": "http.response.body", "body": b""})


def _check_there(row: Row) -> None:
    if row["archived_at"] is not None:
        raise NotFound(
            f"The results of {row['id']} were removed: they are kept for 29 days after its creation."
        )
    if row["status"] != ENDED:
        raise InvalidRequest(f"{row['id']}: results are available once the batch has ended")
