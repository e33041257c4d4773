"""Taking in a batch: its items are spooled while they come, and stored in one transaction when they are complete."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any, LiteralString

import msgspec
import structlog
from psycopg.types.json import Jsonb

from gateway import metrics
from gateway.batches.batch import batch_of
from gateway.batches.hint import RUN_NATIVE, Hints
from gateway.batches.idempotency import IdempotentCall, earlier_answer
from gateway.batches.room import OWNER, QUEUE, QUEUED, check_owner, check_queues
from gateway.batches.spool import COPY, Spool
from gateway.batches.spooled_file import SpoolFailed
from gateway.batches.store import BatchStore, Connection
from gateway.directory.store import StoreUnavailable
from gateway.errors import RateLimited, Unavailable
from gateway.protocol.anthropic.batch_body import Items
from gateway.scopes import Queue

log = structlog.get_logger(__name__)

LIFE = datetime.timedelta(hours=24)
MOST_MODEL_NAMES = 100

# Of the process's connections for batches the others are for those who read.
STORING_AT_ONCE = 4
ANSWER_SECONDS = 5.0  # for the first answer of the store
STORING_SECONDS = 300.0  # for all the rest
LETTING_GO_SECONDS = 1.0  # for the store to hear that it is not wanted any more

# For the transaction: who waits for the twin of its call or for others of its organization, and a long COPY.
_BOUNDS: LiteralString = "SET LOCAL lock_timeout = '20s'; SET LOCAL statement_timeout = '5min'"
_NOW: LiteralString = "SELECT now() AS now"
_BATCH: LiteralString = """
INSERT INTO message_batch (
    id, organization_id, workspace_id, api_key_id, request_id, status, passage, version, relayed, query, user_agent,
    model_names, total, succeeded, errored, canceled, expired, created_at, expires_at, provider, upstream_id)
VALUES (
    %(id)s, %(organization_id)s, %(workspace_id)s, %(api_key_id)s, %(request_id)s, %(status)s, '', %(version)s,
    %(relayed)s, %(query)s, %(user_agent)s,
    %(model_names)s, %(total)s, 0, 0, 0, 0, %(created_at)s, %(expires_at)s, '', '')
"""


class NewBatch(msgspec.Struct, frozen=True):
    """What is known of a batch beside its items. `address` is the gateway's own, `relayed` and `query` as in a call;
    `queues` say for how many items there is room."""

    id: str
    organization_id: str
    workspace_id: str
    api_key_id: str
    request_id: str
    version: str
    relayed: tuple[tuple[str, str], ...]
    query: str
    user_agent: str
    address: str
    queues: tuple[Queue, ...]


class Accepted(msgspec.Struct, frozen=True):
    """`answer` is the batch object; `replayed` where it was made before by a call with the same idempotency key."""

    answer: bytes
    replayed: bool = False


class Intake:
    """Of one process. `folder` is for what is still coming."""

    def __init__(self, store: BatchStore, folder: Path, hints: Hints) -> None:
        self._store = store
        self._folder = folder
        self._hints = hints
        self._storing = asyncio.Semaphore(STORING_AT_ONCE)
        self._open: set[asyncio.Task[Accepted]] = set()  # those that were given up too, until they end

    @contextlib.contextmanager
    def spool(self, batch_id: str) -> Iterator[Spool]:
        """For the items while they come. Raises `Unavailable` where the disk takes no more."""
        try:
            with contextlib.closing(Spool(self._folder, batch_id)) as spool:
                yield spool
        except SpoolFailed as problem:
            log.error("batch_not_spooled", error=str(problem))
            raise Unavailable("The gateway cannot take message batches at the moment.") from problem

    async def accept(
        self, batch: NewBatch, items: Items, spool: Spool, call: IdempotentCall | None
    ) -> Accepted:
        """Store it whole or not at all. Raises `GatewayError`, or `StoreUnavailable`.

        Who is cancelled meanwhile stores nothing; while it is committed nobody can say that any more, and the answer
        comes all the same.
        """
        async with self._storing:
            accepted = await self._waited_for(_Storing(), batch, items, spool, call)
        if not accepted.replayed:
            self._hints.tell()
        return accepted

    def tell_canceled(self) -> None:
        """Workers are told, so that a provider that carries the batch hears of it soon."""
        self._hints.tell()
        self._hints.tell(RUN_NATIVE)

    async def _waited_for(
        self, stage: _Storing, batch: NewBatch, items: Items, spool: Spool, call: IdempotentCall | None
    ) -> Accepted:
        storing = asyncio.create_task(self._stored(stage, batch, items, spool, call))
        self._open.add(storing)
        storing.add_done_callback(self._ended)
        try:
            return await _result(storing, stage)
        except asyncio.CancelledError:
            if not stage.committing:
                raise
            return await _result(storing, stage)
        finally:
            storing.cancel()
            await asyncio.wait({storing}, timeout=LETTING_GO_SECONDS)

    async def _stored(
        self,
        stage: _Storing,
        batch: NewBatch,
        items: Items,
        spool: Spool,
        call: IdempotentCall | None,
    ) -> Accepted:
        async with self._store.connection(transaction=True) as connection:
            await connection.execute(_BOUNDS)
            row = await _row(connection, batch, items)
            stage.begun.set_result(None)
            answer = batch_of(row, batch.address).wire()
            if call is not None and (earlier := await earlier_answer(connection, call, answer)) is not None:
                return Accepted(earlier, replayed=True)
            await _copy(connection, spool)
            stage.committing = True
            await connection.execute(QUEUE, (batch.organization_id,))
            await _check_room(connection, batch, len(items))
            await connection.execute(_BATCH, row)
        return Accepted(answer)

    def _ended(self, storing: asyncio.Task[Accepted]) -> None:
        self._open.discard(storing)
        if not storing.cancelled():
            storing.exception()  # told to whoever still waits


class _Storing:
    """How far it is: Postgres has answered; and from when on it may be stored, whatever happens here."""

    def __init__(self) -> None:
        self.begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.committing = False


async def _result(storing: asyncio.Task[Accepted], stage: _Storing) -> Accepted:
    """A Postgres that takes connections and says nothing is not waited for: giving up a query there takes for ever."""
    waits: list[tuple[set[asyncio.Future[Any]], float]] = [
        ({storing, stage.begun}, ANSWER_SECONDS),
        ({storing}, STORING_SECONDS),
    ]
    for futures, seconds in waits:
        done, _ = await asyncio.wait(futures, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            raise StoreUnavailable("no answer in time")
    return storing.result()


async def _row(connection: Connection, batch: NewBatch, items: Items) -> dict[str, Any]:
    """By the database's clock, which is the same for all processes."""
    now = (await (await connection.execute(_NOW)).fetchall())[0]["now"]
    return {
        **msgspec.structs.asdict(batch),
        "relayed": Jsonb(batch.relayed),
        "model_names": Jsonb(list(items.model_names)[:MOST_MODEL_NAMES]),
        "status": "in_progress",
        "total": len(items),
        "created_at": now,
        "expires_at": now + LIFE,
        "ended_at": None,
        "cancel_initiated_at": None,
        "archived_at": None,
    }


async def _copy(connection: Connection, spool: Spool) -> None:
    async with connection.cursor() as cursor, cursor.copy(COPY) as copy:
        async for piece in spool.read():
            await copy.write(piece)


async def _check_room(connection: Connection, batch: NewBatch, total: int) -> None:
    owner = await (await connection.execute(OWNER, (batch.workspace_id, batch.api_key_id))).fetchone()
    check_owner(owner)
    whose = (batch.workspace_id, batch.api_key_id, batch.organization_id)
    queued = (await (await connection.execute(QUEUED, whose)).fetchall())[0]
    try:
        check_queues(queued, batch.queues, total)
    except RateLimited:
        metrics.refused("rate_limit")
        raise
