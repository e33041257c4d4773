"""Key -> principal: a bounded cache before Postgres that a revocation empties within a second.

Well-formed keys only get here. Known and unknown keys are kept apart, so that guessing cannot push out the
keys in use. While Postgres is away, what is known stays known.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import TypeVar

from gateway import credentials
from gateway.directory.store import StoreUnavailable
from gateway.principal import Principal

CAPACITY = 10_000
KNOWN_SECONDS = 300.0
UNHEARD_SECONDS = 10.0  # re-read this often while no announcements can be heard
UNKNOWN_SECONDS = 60.0
AWAY_SECONDS = 5.0  # while Postgres does not answer, what is known is used for so long between two questions

V = TypeVar("V")


class KeyCache:
    """`find` is the only way from a secret to its principal.

    `load` reads one digest from the store, `renew` puts another in its place. Keys that are used come under the first
    pepper this way, so that an older one can be given up.
    """

    def __init__(
        self,
        load: Callable[[bytes], Awaitable[Principal | None]],
        renew: Callable[[bytes, bytes], Awaitable[None]],
        peppers: list[bytes],
    ) -> None:
        self._load = load
        self._renew = renew
        self._renewing: set[asyncio.Task[None]] = set()
        self._peppers = peppers
        self._known: OrderedDict[bytes, tuple[float, Principal]] = OrderedDict()
        self._unknown: OrderedDict[bytes, float] = OrderedDict()
        self._reading: dict[bytes, asyncio.Task[Principal | None]] = {}
        self._generation = 0
        self.listening = False  # set by the subscriber: announcements are being heard

    def cached(self, secret: str) -> Principal | None:
        """The principal if it is known and fresh; costs no I/O."""
        digest = credentials.digest(secret, self._peppers[0])
        entry = self._known.get(digest)
        if entry is None:
            return None
        return entry[1] if time.monotonic() - entry[0] < self._lifetime else None

    async def find(self, secret: str) -> Principal | None:
        """The principal from the store. Raises `StoreUnavailable` only if nothing older is known."""
        digest = credentials.digest(secret, self._peppers[0])
        refused_at = self._unknown.get(digest)
        if refused_at is not None and time.monotonic() - refused_at < UNKNOWN_SECONDS and self.listening:
            return None
        try:
            return await self._read_once(secret, digest)
        except StoreUnavailable:
            if digest in self._known:
                return self._trust_for_now(digest)
            raise

    def _trust_for_now(self, digest: bytes) -> Principal:
        """What was known, and fresh for a while: each question to a Postgres that hangs takes seconds."""
        principal = self._known[digest][1]
        self._known[digest] = (time.monotonic() - self._lifetime + AWAY_SECONDS, principal)
        return principal

    @property
    def _lifetime(self) -> float:
        return KNOWN_SECONDS if self.listening else UNHEARD_SECONDS

    async def _read_once(self, secret: str, digest: bytes) -> Principal | None:
        """One query however many requests wait for it; a waiter that is cancelled leaves it running."""
        task = self._reading.get(digest)
        if task is None:
            task = self._reading[digest] = asyncio.create_task(self._read(secret, digest))
            task.add_done_callback(lambda done: self._read_done(digest, done))
        return await asyncio.shield(task)

    def _read_done(self, digest: bytes, done: asyncio.Task[Principal | None]) -> None:
        if self._reading.get(digest) is done:
            del self._reading[digest]

    async def _read(self, secret: str, digest: bytes) -> Principal | None:
        generation = self._generation
        principal = await self._load(digest)
        for pepper in self._peppers[1:]:  # keys made before a rotation of the pepper
            if principal is None:
                older = credentials.digest(secret, pepper)
                principal = await self._load(older)
                if principal is not None:
                    self._renew_later(older, digest)
        if generation == self._generation:  # else something changed while we read: do not keep what we saw
            self._remember(digest, principal)
        return principal

    def _renew_later(self, older: bytes, digest: bytes) -> None:
        task = asyncio.create_task(self._renew_now(older, digest))
        self._renewing.add(task)
        task.add_done_callback(self._renewing.discard)

    async def _renew_now(self, older: bytes, digest: bytes) -> None:
        with contextlib.suppress(StoreUnavailable):  # then with its next reading
            await self._renew(older, digest)

    def _remember(self, digest: bytes, principal: Principal | None) -> None:
        if principal is None:
            _put(self._unknown, digest, time.monotonic())
        else:
            self._unknown.pop(digest, None)
            _put(self._known, digest, (time.monotonic(), principal))

    def forget_key(self, digest: bytes) -> None:
        """Forget one key; one that was found under an older pepper is kept under another digest, so doubt all."""
        if digest not in self._known and len(self._peppers) > 1:
            self.doubt_all()
        self._changed()
        self._known.pop(digest, None)
        self._unknown.pop(digest, None)

    def forget_organization(self, organization_id: uuid.UUID) -> None:
        self._changed()
        for digest in [d for d, (_, one) in self._known.items() if one.organization_id == organization_id]:
            del self._known[digest]

    def doubt_all(self) -> None:
        """Announcements may have been missed: read every key again, keeping the old for as long as Postgres is away."""
        self._changed()
        self._unknown.clear()
        for digest, (_, principal) in self._known.items():
            self._known[digest] = (float("-inf"), principal)

    def _changed(self) -> None:
        """Queries under way may see the rows as they were: keep nothing of them, and let nobody else join them."""
        self._generation += 1
        self._reading.clear()


def _put(cache: OrderedDict[bytes, V], key: bytes, value: V) -> None:
    cache[key] = value
    cache.move_to_end(key)
    if len(cache) > CAPACITY:
        cache.popitem(last=False)
