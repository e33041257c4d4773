"""Reading, cancelling and deleting batches."""

from __future__ import annotations

from gateway.consumers.batch_endpoint import BatchEndpoint
from gateway.errors import NotFound


class MessageBatchConsumer(BatchEndpoint):
    """`GET` and `DELETE /v1/messages/batches/{id}`."""

    endpoint = "messages/batches/one"
    methods = ("GET", "HEAD", "DELETE")

    async def answer(self) -> None:
        raise NotFound("Not Found")


class CancelConsumer(BatchEndpoint):
    """`POST /v1/messages/batches/{id}/cancel`."""

    endpoint = "messages/batches/cancel"

    async def answer(self) -> None:
        raise NotFound("Not Found")


class ResultsConsumer(BatchEndpoint):
    """`GET /v1/messages/batches/{id}/results`."""

    endpoint = "messages/batches/results"
    methods = ("GET", "HEAD")

    async def answer(self) -> None:
        raise NotFound("Not Found")


class ListConsumer(BatchEndpoint):
    """`GET /v1/messages/batches`, which `MessageBatchesConsumer` hands over."""

    endpoint = "messages/batches"
    methods: tuple[str, ...] = ("GET", "HEAD")

    async def answer(self) -> None:
        raise NotFound("Not Found")
