"""`POST /v1/messages/batches`: a list of requests is taken in, to be answered within a day."""

from __future__ import annotations

from gateway.consumers.message_batch import ListConsumer
from gateway.errors import NotFound


class MessageBatchesConsumer(ListConsumer):
    """`GET` lists, which is told in `message_batch.py`."""

    methods = ("GET", "HEAD", "POST")

    async def answer(self) -> None:
        if self.scope["method"] != "POST":
            await super().answer()
            return
        raise NotFound("Not Found")
