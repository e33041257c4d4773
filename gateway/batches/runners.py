"""Runners: the processes that work on batches. Each is a row, its id the fencing token of all that it leases.

A runner says every few seconds that it lives, and holds a lock on a file. One that was not seen for
`DEAD_AFTER_SECONDS` is dead, unless PostgreSQL was away in that time; one of this data folder whose lock is free is
dead at once. What it had leased goes back to the queue, and what it finishes all the same is refused.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import LiteralString

import structlog

from gateway.batch_states import ItemState
from gateway.batches.store import BatchStore, Connection
from gateway.batches.tally import Tally
from gateway.directory.store import StoreUnavailable

log = structlog.get_logger(__name__)

SEEN_EVERY_SECONDS = 5.0
DEAD_AFTER_SECONDS = 30.0

_LOCK = "batch-runner-{}.lock"

_REGISTER: LiteralString = """
INSERT INTO message_batch_runner (started_at, seen_at, host) VALUES (now(), now(), %s) RETURNING id
"""
_SEEN: LiteralString = "UPDATE message_batch_runner SET seen_at = now() WHERE id = %s RETURNING id"

# After PostgreSQL itself was away, runners have as long as ever to say that they live. One that was taken for dead may
# have leased something just then, and never come to say that it ends.
_SILENT: LiteralString = """
SELECT id FROM message_batch_runner
 WHERE greatest(seen_at, pg_postmaster_start_time()) < now() - make_interval(secs => %s)
UNION
SELECT lease FROM message_batch_item i
 WHERE state = 1 AND NOT EXISTS (SELECT FROM message_batch_runner r WHERE r.id = i.lease)
UNION
SELECT lease FROM message_batch b
 WHERE status <> 'ended' AND lease IS NOT NULL AND NOT EXISTS (SELECT FROM message_batch_runner r WHERE r.id = b.lease)
"""

# What is leased is locked in one order by everybody, so that two who do this at once wait for each other.
_REMOVE: LiteralString = """
WITH leased AS (
    SELECT batch_id, number FROM message_batch_item WHERE state = %(running)s AND lease = ANY(%(runners)s)
     ORDER BY batch_id, number FOR UPDATE
), returned AS (
    UPDATE message_batch_item i SET state = %(pending)s, lease = NULL, not_before = NULL
      FROM leased l WHERE i.batch_id = l.batch_id AND i.number = l.number
    RETURNING i.number
), batches AS (
    UPDATE message_batch SET lease = NULL WHERE lease = ANY(%(runners)s)
), gone AS (
    DELETE FROM message_batch_runner WHERE id = ANY(%(runners)s)
)
SELECT count(*) AS items FROM returned
"""


class Presence:
    """A runner that lives from `begin` to `end`. `fenced`: others take it for dead, and nothing is leased to it."""

    def __init__(self, store: BatchStore, folder: Path) -> None:
        self.id = 0
        self.fenced = False
        self._store = store
        self._folder = folder
        self._lock: int | None = None
        self._telling: asyncio.Task[None] | None = None
        self.tally = Tally()

    async def begin(self) -> None:
        """Raises `StoreUnavailable`."""
        async with self._store.connection() as connection:
            row = await (await connection.execute(_REGISTER, [socket.gethostname()])).fetchone()
        assert row is not None
        self.id = int(row["id"])
        self._take_lock()
        self._telling = asyncio.create_task(self._tell())

    async def end(self) -> None:
        """All that is still leased to it is free. Where Postgres is away, others find that out."""
        if self._telling is not None:
            self._telling.cancel()
        try:
            await self.tally.add(self._store)
            async with self._store.connection() as connection:
                await remove(connection, [self.id])
            self._file.unlink(missing_ok=True)
        except StoreUnavailable as problem:
            log.warning("batch_runner_not_removed", runner=self.id, error=str(problem))
        finally:
            if self._lock is not None:
                os.close(self._lock)

    def _take_lock(self) -> None:
        """Locked before it has its name, so that nobody ever finds it unlocked while we live."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        unnamed = self._file.with_suffix(".new")
        self._lock = os.open(unnamed, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        unnamed.rename(self._file)

    @property
    def _file(self) -> Path:
        return self._folder / _LOCK.format(self.id)

    async def _tell(self) -> None:
        while not self.fenced:
            await asyncio.sleep(SEEN_EVERY_SECONDS)
            try:
                async with self._store.connection() as connection:
                    if await (await connection.execute(_SEEN, [self.id])).fetchone() is None:
                        log.error("batch_runner_taken_for_dead", runner=self.id)
                        self.fenced = True
                await self.tally.add(self._store)
            except StoreUnavailable as problem:
                log.warning("batch_runner_not_seen", runner=self.id, error=str(problem))


async def bury_the_dead(connection: Connection, folder: Path) -> int:
    """Remove all runners that have died; how many items that gave back. `folder` is where those of this data folder
    hold their locks."""
    rows = await (await connection.execute(_SILENT, [DEAD_AFTER_SECONDS])).fetchall()
    here = _dead_here(folder)
    dead = {*[row["id"] for row in rows], *here}
    if not dead:
        return 0
    items = await remove(connection, sorted(dead))
    for runner in here:
        (folder / _LOCK.format(runner)).unlink(missing_ok=True)
    log.warning("batch_runners_died", runners=sorted(dead), items=items)
    return items


async def remove(connection: Connection, runners: Sequence[int]) -> int:
    """They are gone: everything that they had leased is free again. How many items that were."""
    states = {"running": ItemState.RUNNING, "pending": ItemState.PENDING}
    row = await (await connection.execute(_REMOVE, {**states, "runners": list(runners)})).fetchone()
    assert row is not None
    return int(row["items"])


def _dead_here(folder: Path) -> list[int]:
    """Those whose lock nobody holds."""
    files = folder.glob(_LOCK.format("*"))
    return [int(file.stem.rpartition("-")[2]) for file in files if not _is_held(file)]


def _is_held(file: Path) -> bool:
    try:
        lock = os.open(file, os.O_RDWR)
    except FileNotFoundError:  # removed just now
        return True
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False
