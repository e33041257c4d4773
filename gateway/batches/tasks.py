"""Celery's part of batches. A task is only a hint that something waits: rows are the queue, any task does it all."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import functools
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import structlog
import uvloop
from celery import shared_task
from celery.signals import worker_shutting_down
from django.conf import settings

from gateway.batches import cancellation, queue, retention, runners
from gateway.batches.runner import Runner
from gateway.batches.store import BatchStore
from gateway.directory.store import StoreUnavailable
from gateway.engine.plane import Plane

log = structlog.get_logger(__name__)

Stopping = Callable[[], bool]

LINGER_SECONDS = 2.0
LOOK_SECONDS = 0.25

# Shared with the worker's child processes, of which each runs one task at a time.
_shutting_down = multiprocessing.get_context("fork").Event()


@worker_shutting_down.connect
def stop_runners(**_: object) -> None:
    _shutting_down.set()


@shared_task(acks_late=False)
def run_batches() -> None:
    """Run what waits, until nothing does. Of several at once in one data folder only one does anything.

    Whoever came in vain came for something that was there before we let go: we look once more.
    """
    folder = settings.CONFIGURATION.data_dir / "run"
    stopping = functools.partial(_stopping, os.getppid())
    ran = True
    while ran and not stopping():
        with _alone(folder / "batches.lock") as alone:
            ran = alone and uvloop.run(_run(folder, stopping))


@shared_task
def cancel_unattended() -> int:
    """Cancel batches that nobody may read any more, which nobody tells where a key expires; returns how many."""
    return cancellation.cancel_unattended()


@shared_task
def forget_batches() -> int:
    """Remove results and idempotency keys that are older than they are kept; returns how many batches lost theirs."""
    retention.forget_calls()
    return retention.archive_old()


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


async def _run(folder: Path, stopping: Stopping) -> bool:
    """Whether there was anything to run."""
    store = BatchStore(settings.CONFIGURATION.database_url)
    try:
        if await _anything_to_run(store, folder):
            await _run_items(store, stopping)
            return True
    except StoreUnavailable as problem:
        log.warning("batches_not_run", error=str(problem))
    finally:
        await store.close()
    return False


async def _anything_to_run(store: BatchStore, folder: Path) -> bool:
    """What nobody has to be asked for is done here: the engine is not started for it."""
    async with store.connection() as connection:
        await runners.bury_the_dead(connection, folder)
        await queue.mark_unsent(connection)
        return await queue.anything_waits(connection)


async def _run_items(store: BatchStore, stopping: Stopping) -> None:
    plane = Plane(settings.CONFIGURATION, replica=False)
    await plane.start()
    try:
        while not stopping():
            most = settings.CONFIGURATION.batch_concurrency
            await Runner(plane, store, most=most, stopping=stopping).run()
            if not await _more_comes(store, stopping):
                return
    finally:
        await plane.stop()


async def _more_comes(store: BatchStore, stopping: Stopping) -> bool:
    """Wait a little for the next batch, and for the ledger to acknowledge what was used: a hint that came while we
    were at work was told that somebody is."""
    until = time.monotonic() + LINGER_SECONDS
    while time.monotonic() < until and not stopping():
        async with store.connection() as connection:
            if await queue.anything_waits(connection):
                return True
        await asyncio.sleep(LOOK_SECONDS)
    return False


def _stopping(parent: int) -> bool:
    """The worker ends, or its main process is gone."""
    return _shutting_down.is_set() or os.getppid() != parent
