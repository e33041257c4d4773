"""Celery's part of batches. A task is only a hint that something waits: rows are the queue, any task does it all."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import functools
import multiprocessing
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import structlog
import uvloop
from celery import shared_task
from celery.signals import worker_shutting_down
from django.conf import settings

from gateway.batches import cancellation, native, queue, retention, runners
from gateway.batches.native import NativeRunner
from gateway.batches.runner import Runner
from gateway.batches.store import BatchStore
from gateway.directory.store import StoreUnavailable
from gateway.engine.plane import Plane

log = structlog.get_logger(__name__)

Stopping = Callable[[], bool]
Asking = Callable[[BatchStore], Awaitable[bool]]
Work = Callable[[Plane, BatchStore, Stopping], Awaitable[None]]

LINGER_SECONDS = 2.0
LOOK_SECONDS = 0.25

# Shared with the worker's child processes, of which each runs one task at a time.
_shutting_down = multiprocessing.get_context("fork").Event()


@worker_shutting_down.connect
def stop_runners(**_: object) -> None:
    _shutting_down.set()


@shared_task(acks_late=False)
def run_batches() -> None:
    """Run the items that wait, until none does."""
    _run_alone("batches.lock", _items_wait, _run_items)


@shared_task(acks_late=False)
def run_native_batches() -> None:
    """Look after the batches that providers carry, until none is to be looked at soon."""
    _run_alone("native-batches.lock", _native_ones_wait, _run_native_ones)


@shared_task
def cancel_unattended() -> int:
    """Cancel batches that nobody may read any more, which nobody tells where a key expires; returns how many."""
    return cancellation.cancel_unattended()


@shared_task
def forget_batches() -> int:
    """Remove results and idempotency keys that are older than they are kept; returns how many batches lost theirs."""
    retention.forget_calls()
    return retention.archive_old()


def _run_alone(lock: str, waits: Asking, work: Work) -> None:
    """Of several at once in one data folder only one does anything.

    Whoever came in vain came for something that was there before we let go: we look once more.
    """
    stopping = functools.partial(_stopping, os.getppid())
    ran = True
    while ran and not stopping():
        with _alone(_folder() / lock) as alone:
            ran = alone and uvloop.run(_run(waits, work, stopping))


@contextlib.contextmanager
def _alone(file: Path) -> Iterator[bool]:
    """Whether nobody else is in here."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with file.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


async def _run(waits: Asking, work: Work, stopping: Stopping) -> bool:
    """Whether there was anything to do; the engine is started only for that."""
    store = BatchStore(settings.CONFIGURATION.database_url)
    try:
        if not await waits(store):
            return False
        plane = Plane(settings.CONFIGURATION, replica=False)
        await plane.start()
        try:
            while not stopping():
                await work(plane, store, stopping)
                if not await _more_comes(waits, store, stopping):
                    break
        finally:
            await plane.stop()
        return True
    except StoreUnavailable as problem:
        log.warning("batches_not_run", error=str(problem))
        return False
    finally:
        await store.close()


async def _more_comes(waits: Asking, store: BatchStore, stopping: Stopping) -> bool:
    """Wait a little for the next batch, and for the ledger to acknowledge what was used: a hint that came while we
    were at work was told that somebody is."""
    until = time.monotonic() + LINGER_SECONDS
    while time.monotonic() < until and not stopping():
        if await waits(store):
            return True
        await asyncio.sleep(LOOK_SECONDS)
    return False


async def _items_wait(store: BatchStore) -> bool:
    """What nobody has to be asked for is done here."""
    async with store.connection() as connection:
        await runners.bury_the_dead(connection, _folder())
        await queue.mark_unsent(connection)
        return await queue.anything_waits(connection)


async def _run_items(plane: Plane, store: BatchStore, stopping: Stopping) -> None:
    most = settings.CONFIGURATION.batch_concurrency
    await Runner(plane, store, most=most, stopping=stopping).run()


async def _native_ones_wait(store: BatchStore) -> bool:
    async with store.connection() as connection:
        await runners.bury_the_dead(connection, _folder())
    return await native.anything_to_look_at(store)


async def _run_native_ones(plane: Plane, store: BatchStore, stopping: Stopping) -> None:
    await NativeRunner(plane, store, stopping=stopping).run()


def _folder() -> Path:
    """Where the locks of this data folder's runners are."""
    return settings.CONFIGURATION.data_dir / "run"


def _stopping(parent: int) -> bool:
    """The worker ends, or its main process is gone."""
    return _shutting_down.is_set() or os.getppid() != parent
