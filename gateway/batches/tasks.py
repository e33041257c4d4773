"""Celery's part of batches. A task is only a hint that something waits: rows are the queue, any task does it all."""

from __future__ import annotations

import contextlib
import fcntl
import multiprocessing
import os
from collections.abc import Iterator
from pathlib import Path

import structlog
import uvloop
from celery import shared_task
from celery.signals import worker_shutting_down
from django.conf import settings

from gateway.batches import queue, runners
from gateway.batches.runner import Runner
from gateway.batches.store import BatchStore
from gateway.directory.store import StoreUnavailable
from gateway.engine.plane import Plane

log = structlog.get_logger(__name__)

# Shared with the worker's child processes, of which each runs one task at a time.
_stopping = multiprocessing.get_context("fork").Event()


@worker_shutting_down.connect
def stop_runners(**_: object) -> None:
    _stopping.set()


@shared_task(acks_late=False)
def run_batches() -> None:
    """Run what waits, until nothing does. Of several at once in one data folder only one does anything."""
    folder = settings.CONFIGURATION.data_dir / "run"
    with _alone(folder / "batches.lock") as alone:
        if alone:
            uvloop.run(_run(folder))


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


async def _run(folder: Path) -> None:
    store = BatchStore(settings.CONFIGURATION.database_url)
    try:
        if await _anything_to_run(store, folder):
            await _run_items(store)
    except StoreUnavailable as problem:
        log.warning("batches_not_run", error=str(problem))
    finally:
        await store.close()


async def _anything_to_run(store: BatchStore, folder: Path) -> bool:
    """What nobody has to be asked for is done here: the engine is not started for it."""
    async with store.connection() as connection:
        await runners.bury_the_dead(connection, folder)
        await queue.mark_unsent(connection)
        return await queue.anything_waits(connection)


async def _run_items(store: BatchStore) -> None:
    parent = os.getppid()
    plane = Plane(settings.CONFIGURATION, replica=False)
    await plane.start()
    try:
        runner = Runner(
            plane,
            store,
            most=settings.CONFIGURATION.batch_concurrency,
            stopping=lambda: _stopping.is_set() or os.getppid() != parent,
        )
        await runner.run()
    finally:
        await plane.stop()
