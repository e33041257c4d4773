"""Server-sent events for all who look on in one process: one look at the database a second, none while nobody does.

A stream holds neither a thread nor a connection to the database. It lives for two minutes; the browser then asks again,
so that somebody who left the organization sees nothing for longer.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Iterator
from typing import Generic, Protocol, TypeVar

import structlog
from django.db import Error

from gateway import ending

log = structlog.get_logger(__name__)

EVERY_SECONDS = 1.0
KEEP_ALIVE_SECONDS = 15.0
LIFE_SECONDS = 120.0
MOST = 200  # streams of one process
MOST_OF_ONE = 10  # of them of one person

AGAIN = b"retry: 2000\n\n"
NO_ROOM = b"retry: 15000\n: too many look on; ask again\n\n"
KEEP_ALIVE = b": still here\n\n"


class Followed(Protocol):
    followers: int


Key = TypeVar("Key", bound=Hashable)
Thing = TypeVar("Thing", bound=Followed)


class Onlookers(Generic[Key, Thing]):
    """`make` begins what somebody is the first to follow; `look` brings all that are followed up to date.

    Where `look` fails because the database is away, that is logged as `lost`, and tried again.
    """

    def __init__(
        self,
        make: Callable[[], Thing],
        look: Callable[[dict[Key, Thing]], Awaitable[None]],
        *,
        lost: str,
        most: int,
        most_of_one: int,
    ) -> None:
        self._make = make
        self._look = look
        self._lost = lost
        self._most = most
        self._most_of_one = most_of_one
        self._followed: dict[Key, Thing] = {}
        self._people: list[str] = []  # who look on, each as often as they do
        self._turn = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None

    async def stream(
        self,
        key: Key,
        user_id: str,
        tell: Callable[[Thing], Awaitable[bytes]],
        last: Callable[[Thing], bytes] = lambda _: b"",
    ) -> AsyncIterator[bytes]:
        """What `tell` says each second, b"" being nothing; ends after what `last` says, with the process, and after a
        while."""
        if not self._has_room(user_id):
            yield NO_ROOM
            return
        with self._following(key, user_id) as thing:
            yield AGAIN
            began = spoke = time.monotonic()
            while not ending.begun() and time.monotonic() - began < LIFE_SECONDS:
                if said := await tell(thing):
                    yield said
                    spoke = time.monotonic()
                elif time.monotonic() - spoke >= KEEP_ALIVE_SECONDS:
                    yield KEEP_ALIVE
                    spoke = time.monotonic()
                if end := last(thing):
                    yield end
                    return
                await self._next_turn()

    def _has_room(self, user_id: str) -> bool:
        return len(self._people) < self._most and self._people.count(user_id) < self._most_of_one

    @contextlib.contextmanager
    def _following(self, key: Key, user_id: str) -> Iterator[Thing]:
        thing = self._followed.setdefault(key, self._make())
        thing.followers += 1
        self._people.append(user_id)
        self._start_looking()
        try:
            yield thing
        finally:
            self._people.remove(user_id)
            thing.followers -= 1
            if not thing.followers:
                self._followed.pop(key, None)

    def _start_looking(self) -> None:
        """In a context of its own, since it outlives the request that began it."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look_on(), context=contextvars.Context())

    async def _look_on(self) -> None:
        while self._followed:
            try:
                await self._look(dict(self._followed))
            except Error as problem:
                log.warning(self._lost, error=str(problem))
            self._turn.set()
            self._turn = asyncio.Event()
            await asyncio.sleep(EVERY_SECONDS)

    async def _next_turn(self) -> None:
        """Also where looking hangs: a stream is kept alive all the same."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(KEEP_ALIVE_SECONDS):
                await self._turn.wait()
