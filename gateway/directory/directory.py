"""The directory of one process: keys and catalog, read ahead and kept true by announcements."""

from __future__ import annotations

import asyncio
import contextlib
import uuid

import structlog

from gateway.directory import subscriber
from gateway.directory.catalog import EMPTY, Catalog
from gateway.directory.change import Change
from gateway.directory.keys import KeyCache
from gateway.directory.store import DirectoryStore, StoreUnavailable

log = structlog.get_logger(__name__)

REREAD_SECONDS = 60.0  # a price becomes effective without anybody announcing it


class Directory:
    """`keys` finds principals, `catalog` is the current snapshot; `start` and `stop` belong to the process."""

    def __init__(self, store: DirectoryStore, *, redis_url: str, peppers: list[bytes]) -> None:
        self.store = store
        self.keys = KeyCache(store.principal, store.renew_digest, peppers)
        self.catalog: Catalog = EMPTY
        self.loaded = False
        self._redis_url = redis_url
        self._stale = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Read the catalog once if Postgres answers; else the keeper goes on trying."""
        await self.store.open()
        await self._reload()
        self._tasks = [
            asyncio.create_task(subscriber.listen(self._redis_url, self)),
            asyncio.create_task(self._keep()),
        ]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self.store.close()

    def hearing(self, hears: bool) -> None:
        self.keys.listening = hears
        if hears:
            self.keys.doubt_all()
            self._stale.set()

    def changed(self, change: Change) -> None:
        if change.kind == "catalog":
            self._stale.set()
        elif change.kind == "key":
            self.keys.forget_key(bytes.fromhex(change.subject))
        elif change.kind == "organization":
            self.keys.forget_organization(uuid.UUID(change.subject))
        else:
            log.error("directory_change_not_understood", kind=change.kind)

    async def _keep(self) -> None:
        """Read the catalog again when it is announced as changed, every minute, and each second until it is there."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stale.wait(), REREAD_SECONDS if self.loaded else 1.0)
            self._stale.clear()
            await self._reload()

    async def _reload(self) -> None:
        """A catalog that cannot be read leaves the last one in force; the keeper must outlive any reason."""
        try:
            self.catalog = await self.store.catalog()
            self.loaded = True
        except StoreUnavailable as problem:
            log.warning("catalog_not_read", error=str(problem))
            await self._retry_soon()
        except Exception:
            log.exception("catalog_not_understood")
            await self._retry_soon()

    async def _retry_soon(self) -> None:
        if self.loaded:  # before that the keeper tries each second anyway
            self._stale.set()
            await asyncio.sleep(1)
