"""How many web processes there are: each is heard of every few seconds, and counted for a minute after that.

While Valkey is away the last number known counts: each process then grants that part of every limit.
"""

from __future__ import annotations

import asyncio
import contextlib
import time

import hiredis

from gateway.valkey import Valkey, ValkeyUnavailable

KEY = "gw:replicas"
SEEN_SECONDS = 5.0
FORGOTTEN_MS = 60_000


class Replicas:
    """`count` is at least 1. `name` is that of this process."""

    def __init__(self, valkey: Valkey, name: str) -> None:
        self.count = 1
        self._valkey = valkey
        self._name = name
        self._told_once = False
        self._not_fewer_until = 0.0
        self._telling: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Known before the first request, if Valkey is there."""
        await self._tell()
        self._telling = asyncio.create_task(self._tell_always())

    async def stop(self) -> None:
        """The others need not wait to have this one's share."""
        if self._telling is not None:
            self._telling.cancel()
        with contextlib.suppress(ValkeyUnavailable, hiredis.ReplyError):
            await self._valkey.command("ZREM", KEY, self._name)

    async def _tell_always(self) -> None:
        while True:
            await asyncio.sleep(SEEN_SECONDS)
            await self._tell()

    async def _tell(self) -> None:
        with contextlib.suppress(ValkeyUnavailable, hiredis.ReplyError):  # the last number known stays
            seconds, _ = await self._valkey.command("TIME")
            now = int(seconds) * 1000
            new = await self._valkey.command("ZADD", KEY, now, self._name)
            await self._valkey.command("ZREMRANGEBYSCORE", KEY, "-inf", now - FORGOTTEN_MS)
            count = max(1, int(await self._valkey.command("ZCARD", KEY)))
            if new and self._told_once:  # Valkey was emptied, and the others have not told yet either
                self._not_fewer_until = time.monotonic() + 2 * SEEN_SECONDS
            self._told_once = True
            self.count = max(self.count, count) if time.monotonic() < self._not_fewer_until else count
