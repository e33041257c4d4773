"""The directory of one process: keys and catalog, read ahead and kept true by announcements."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import uuid

import structlog

from gateway.directory import subscriber
from gateway.directory.catalog import EMPTY, Catalog
from gateway.directory.change import Change
from gateway.directory.keys import KeyCache
from gateway.directory.store import DirectoryStore, StoreUnavailable

log = structlog.get_logger(__name__)

REREAD_SECONDS = 60.0  # for what nobody announced


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
        self._next_price: asyncio.TimerHandle | None = None

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
        if self._next_price is not None:
            self._next_price.cancel()
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
                # Not `wait_for`, which forgets that it was cancelled when what it waits for comes at the same time.
                async with asyncio.timeout(REREAD_SECONDS if self.loaded else 1.0):
                    await self._stale.wait()
            self._stale.clear()
            await self._reload()

    async def _reload(self) -> None:
        """A catalog that cannot be read leaves the last one in force; the keeper must outlive any reason."""
        try:
            self._put_in_force(await self.store.catalog())
            self.loaded = True
        except StoreUnavailable as problem:
            log.warning("catalog_not_read", error=str(problem))
            await self._retry_soon()
        except Exception:
            log.exception("catalog_not_understood")
            await self._retry_soon()

    def _put_in_force(self, catalog: Catalog) -> None:
        """With the prices of now. When the next one begins, the same again: nobody announces it, and it begins
        whether or not Postgres answers just then."""
        now = datetime.datetime.now(datetime.UTC)
        self.catalog = catalog.priced_at(now)
        if self._next_price is not None:
            self._next_price.cancel()
        if (at := self.catalog.next_price_at) is not None:
            loop = asyncio.get_running_loop()
            self._next_price = loop.call_later((at - now).total_seconds(), self._reprice)

    def _reprice(self) -> None:
        self._put_in_force(self.catalog)

    async def _retry_soon(self) -> None:
        if self.loaded:  # before that the keeper tries each second anyway
            self._stale.set()
            await asyncio.sleep(1)
