"""`POST /v1/messages/batches`: a list of requests is taken in, to be answered within a day."""

from __future__ import annotations

import asyncio
import hashlib
import time

from gateway.batches.idempotency import IdempotentCall, key_of
from gateway.batches.intake import Accepted, Intake, NewBatch
from gateway.batches.spool import Spool
from gateway.batches.store import BatchStore
from gateway.consumers import headers as request_headers
from gateway.consumers.batch_endpoint import Caller, unavailable
from gateway.consumers.message_batch import ListConsumer
from gateway.consumers.request_body import body_parts
from gateway.directory.store import StoreUnavailable
from gateway.engine.plane import Plane
from gateway.ids import new_id
from gateway.protocol.anthropic.batch_body import BatchBody, Item, Items

MAX_BYTES = 256 * 1024 * 1024
ROUTE = "POST /v1/messages/batches"

# Looking at a slice takes a millisecond or two; others have their turn in between, also where eight bodies come.
SLICE = 16 * 1024  # bytes
TURN_SECONDS = 0.001
LARGE_ITEM = 256 * 1024  # bytes; from here on checking one moves to a thread


class MessageBatchesConsumer(ListConsumer):
    """`GET` lists, which is told in `message_batch.py`."""

    methods = ("GET", "HEAD", "POST")

    def __init__(self, *, plane: Plane, store: BatchStore, intake: Intake) -> None:
        super().__init__(plane=plane, store=store)
        self.intake = intake

    async def answer(self) -> None:
        if self.scope["method"] != "POST":
            await super().answer()
            return
        caller = await self.caller()
        accepted = await self._accepted(
            self._new(caller), caller, key_of(self.headers.get(b"idempotency-key"))
        )
        headers = [(b"idempotent-replayed", b"true")] if accepted.replayed else []
        await self.send_json(200, accepted.answer, headers)

    async def _accepted(self, batch: NewBatch, caller: Caller, key: str | None) -> Accepted:
        with self.intake.spool(batch.id) as spool:
            reading = Reading(spool, digested=key is not None)
            async for part in body_parts(self.receive, self.headers, MAX_BYTES):
                await reading.take(part)
            reading.finish()
            self.watch_disconnect()
            call = None if key is None else self._call(caller, key, reading.digest)
            try:
                return await self.intake.accept(batch, reading.items, spool, call)
            except StoreUnavailable as problem:
                raise unavailable(problem) from problem

    def _new(self, caller: Caller) -> NewBatch:
        relayed = request_headers.relayed(self.scope["headers"], caller.version)
        return NewBatch(
            id=new_id("msgbatch"),
            organization_id=str(caller.principal.organization_id),
            workspace_id=caller.workspace.id,
            api_key_id=caller.principal.key_id,
            request_id=self.request_id,
            version=caller.version.decode(),
            relayed=tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in relayed),
            query=bytes(self.scope["query_string"]).decode("latin-1"),
            user_agent=self.headers.get(b"user-agent", b"")[:200].decode("latin-1"),
            address=self.own_address,
            queues=caller.workspace.pools.queues(),
        )

    def _call(self, caller: Caller, key: str, digest: bytes) -> IdempotentCall:
        organization_id = str(caller.principal.organization_id)
        return IdempotentCall(organization_id, caller.workspace.id, ROUTE, key, digest)


class Reading:
    """A body on its way into the spool. `digest` is its SHA-256, where that is wanted."""

    def __init__(self, spool: Spool, *, digested: bool) -> None:
        self.items = Items()
        self._spool = spool
        self._body = BatchBody()
        self._hash = hashlib.sha256() if digested else None
        self._turn = time.perf_counter()

    async def take(self, part: bytes) -> None:
        """Raises `InvalidRequest`, `TooLarge` or what the spool does."""
        for start in range(0, len(part), SLICE):
            data = part[start : start + SLICE]
            if self._hash is not None:
                self._hash.update(data)
            for raw in self._body.feed(data):
                await self._spool.add(await self._checked(raw))
            await self._let_others()

    def finish(self) -> None:
        self._body.finish()

    @property
    def digest(self) -> bytes:
        return self._hash.digest() if self._hash is not None else b""

    async def _checked(self, raw: bytes | bytearray) -> Item:
        if len(raw) < LARGE_ITEM:
            return self.items.checked(raw)
        return await asyncio.to_thread(self.items.checked, raw)

    async def _let_others(self) -> None:
        if time.perf_counter() - self._turn > TURN_SECONDS:
            await asyncio.sleep(0)
            self._turn = time.perf_counter()
