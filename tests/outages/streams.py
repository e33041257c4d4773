"""Clients that stream one answer after the other, each checked to its last byte."""

from __future__ import annotations

import asyncio
import concurrent.futures
import random
import time
from dataclasses import dataclass, field
from types import TracebackType

from tests import upstream as provider
from tests.data_plane.house import SCRIPTED, Tenant, body
from tests.data_plane.wire import Answer, Wire
from tests.event_loop_thread import EventLoopThread
from tests.outages.site import Site
from tests.upstream import streamed

WORDS = 20
WITHIN = 30.0  # seconds for one stream


@dataclass
class Streamed:
    """One stream. `port` is the client's own; `problem` is what a client that reads on would call it."""

    script: str
    port: int = 0
    began: float = field(default_factory=time.monotonic)
    answer: Answer | None = None
    problem: str = ""

    @property
    def outcome(self) -> str:
        """`whole`, `error frame`, or what must not be: `refused` (no answer began), `cut` (its framing is not
        complete), `silent end` (it is, but the stream is not)."""
        if self.answer is None or self.answer.status == 0:
            return "refused"
        if self.answer.status != 200:
            return f"status {self.answer.status}"
        if not self.answer.complete:
            return "cut"
        if b"event: error" in self.answer.body:
            return "error frame"
        return "whole" if b"event: message_stop" in self.answer.body else "silent end"


class Streams:
    """`clients` side by side from `__enter__` to `__exit__`; half of them keep their connections as SDKs do."""

    def __init__(self, site: Site, tenant: Tenant, port: int, clients: int, seconds: float = 1.5) -> None:
        """Streams last up to `seconds`."""
        self._site = site
        self._tenant = tenant
        self._port = port
        self._clients = clients
        self._random = random.Random(11)
        self._seconds = seconds
        self.streams: list[Streamed] = []

    def __enter__(self) -> Streams:
        self._thread = EventLoopThread("streams")
        self._going = True
        self._talking: concurrent.futures.Future[list[None]] = asyncio.run_coroutine_threadsafe(
            self._talk(), self._thread.loop
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._going = False
        try:
            self._talking.result(WITHIN + 10)
        finally:
            self._thread.stop()

    @property
    def calls(self) -> int:
        """How many of them reached the provider."""
        scripts = {one.script for one in self.streams}
        return len([call for call in self._site.house.upstream.log if call.script in scripts])

    async def _talk(self) -> list[None]:
        return await asyncio.gather(*(self._client(number % 2 == 0) for number in range(self._clients)))

    async def _client(self, keeps: bool) -> None:
        wire: Wire | None = None
        while self._going:
            one = self._next()
            wire = await self._ask(one, wire)
            again = one.answer is not None and one.answer.complete
            if wire is not None and not (keeps and again and one.answer.header("connection") != "close"):
                wire.leave()
                wire = None
        if wire is not None:
            wire.leave()

    def _next(self) -> Streamed:
        delay = self._random.uniform(0.1, self._seconds) / WORDS
        frames = provider.frames(provider.events([f" {number}" for number in range(WORDS)]))
        one = Streamed(self._site.house.upstream.script(streamed(frames, delay=delay)))
        self.streams.append(one)
        return one

    async def _ask(self, one: Streamed, kept: Wire | None) -> Wire | None:
        """On the kept connection, unless that has ended meanwhile, which every HTTP client tries again."""
        raw = self._site.house.message(body(SCRIPTED, one.script, stream=True), key=self._tenant.key)
        wire = kept
        try:
            if wire is not None and await self._answered(one, wire, raw):
                return wire
            wire = await Wire.connect(self._port)
            await self._answered(one, wire, raw)
        except OSError as problem:
            one.problem = repr(problem)
        return wire

    async def _answered(self, one: Streamed, wire: Wire, raw: bytes) -> bool:
        """Whether an answer began; how it went on is in `one`."""
        one.port, one.answer = wire.port, Answer(asked_at=time.monotonic())
        try:
            async with asyncio.timeout(WITHIN):
                await wire.send(raw)
                await wire.read_into(one.answer)
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as problem:
            one.problem = repr(problem)
        one.answer.ended_at = time.monotonic()
        return one.answer.status != 0
