"""One pipelined connection to one Valkey for the scripts of the hot path, shared by limits and circuits.

redis-py costs about 60 us of CPU a call and may hand a reply to the wrong caller when a call is cancelled
half-way. Here a call is one write and one future in a queue: replies are matched by order, a cancelled caller
only leaves an unread reply behind. Parsing and packing are hiredis's.

A call that is not answered within `CALL_SECONDS` breaks the connection; all calls then fail at once until a
background task has connected again.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import ssl
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import hiredis
import structlog

log = structlog.get_logger(__name__)

CALL_SECONDS = 0.1
CONNECT_SECONDS = 1.0
RETRY_SECONDS = 0.25

NOT_NOW = {
    "LOADING",
    "BUSY",
    "OOM",
    "READONLY",
    "MASTERDOWN",
    "MISCONF",
    "NOSCRIPT",
    "CLUSTERDOWN",
    # A slot is on its way to another node. A script with several keys cannot follow it before it is there.
    "ASK",
    "TRYAGAIN",
}

Argument = str | bytes | int | float


class ValkeyUnavailable(Exception):
    """Valkey is away or does not answer in time; whether the last calls took effect is unknown."""


class Script:
    """A Lua script by its file; the server knows it by its SHA-1."""

    def __init__(self, file: Path) -> None:
        self.source = file.read_text()
        self.sha = hashlib.sha1(self.source.encode(), usedforsecurity=False).hexdigest()


class _Protocol(asyncio.Protocol):
    """Bytes in, replies to the futures that wait, in order."""

    def __init__(self, lost: Callable[[_Protocol], None]) -> None:
        self.waiting: deque[tuple[asyncio.Future[Any], float]] = deque()
        self.transport: asyncio.Transport | None = None
        self._reader = hiredis.Reader()
        self._lost = lost

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while (reply := self._reader.gets()) is not False:
            future, _ = self.waiting.popleft()
            if future.done():  # the caller was cancelled
                continue
            if isinstance(reply, hiredis.ReplyError):
                future.set_exception(self._meaning(reply))
            else:
                future.set_result(reply)

    def _meaning(self, reply: hiredis.ReplyError) -> Exception:
        """Answers that say "not now" count as an outage; anything else is a mistake of ours and stays itself."""
        word = str(reply).split(" ", 1)[0]
        if word == "NOSCRIPT" and self.transport is not None:  # flushed: connecting again loads the scripts
            self.transport.abort()
        return ValkeyUnavailable(str(reply)) if word in NOT_NOW else reply

    def connection_lost(self, problem: Exception | None) -> None:
        self._lost(self)
        for future, _ in self.waiting:
            if not future.done():
                future.set_exception(ValkeyUnavailable("the connection was lost"))
        self.waiting.clear()


def _packed(words: tuple[Argument, ...]) -> bytes:
    return hiredis.pack_command(words)  # type: ignore[arg-type] # its stub knows one-tuples only


class Connection:
    """Sends commands. `available` is false while there is no working connection.

    `options` are those of `redis.asyncio.connection.parse_url`. Once it was up, `in_cluster` says whether the server
    is a node of a cluster.
    """

    def __init__(
        self,
        options: Mapping[str, Any],
        scripts: Sequence[Script],
        *,
        on_up: Callable[[], None] = lambda: None,
        on_lost: Callable[[], None] = lambda: None,
    ) -> None:
        self._options = options
        self._scripts = scripts
        self._on_up = on_up
        self._on_lost = on_lost
        self.in_cluster = False
        self._protocol: _Protocol | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._closed = False

    @property
    def available(self) -> bool:
        return self._protocol is not None

    async def start(self) -> None:
        """Connect now if Valkey is there; else go on trying in the background."""
        self._reconnect()
        assert self._connecting is not None
        await asyncio.wait({self._connecting}, timeout=CONNECT_SECONDS)

    async def stop(self) -> None:
        self._closed = True
        if self._connecting is not None:
            self._connecting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._connecting
        if self._protocol is not None and self._protocol.transport is not None:
            self._protocol.transport.close()

    def send(self, words: tuple[Argument, ...]) -> asyncio.Future[Any]:
        """The reply. Fails with `ValkeyUnavailable`, or with the server's own error."""
        future = self._loop.create_future()
        protocol = self._protocol
        if protocol is None or protocol.transport is None:
            future.set_exception(ValkeyUnavailable("not connected"))
            future.exception()  # whoever does not await it has been told by `available`
            return future
        protocol.waiting.append((future, self._loop.time() + CALL_SECONDS))
        protocol.transport.write(_packed(words))
        if self._watch is None:
            self._watch = self._loop.call_later(CALL_SECONDS, self._check_oldest)
        return future

    def _check_oldest(self) -> None:
        """Break a connection whose oldest call is overdue, unless its reply is only waiting for this busy loop."""
        self._watch = None
        protocol = self._protocol
        if protocol is None or not protocol.waiting:
            return
        future, deadline = protocol.waiting[0]
        late = self._loop.time() - deadline
        if late < 0:
            self._watch = self._loop.call_later(-late, self._check_oldest)
        else:
            self._watch = self._loop.call_later(0.01, self._break_if_still_oldest, protocol, future)

    def _break_if_still_oldest(self, protocol: _Protocol, oldest: asyncio.Future[Any]) -> None:
        self._watch = None
        if protocol.waiting and protocol.waiting[0][0] is oldest and protocol.transport is not None:
            log.warning("valkey_does_not_answer", waiting=len(protocol.waiting))
            protocol.transport.abort()
            self._lost(protocol)
        else:
            self._check_oldest()

    def _lost(self, protocol: _Protocol) -> None:
        if protocol is self._protocol:
            self._protocol = None
            if not self._closed:
                log.warning("valkey_lost")
                self._reconnect()
                self._on_lost()

    def _reconnect(self) -> None:
        if self._connecting is None or self._connecting.done():
            self._connecting = asyncio.create_task(self._connect_until_up())

    async def _connect_until_up(self) -> None:
        while True:
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    protocol = await self._connect()
                    await self._greet(protocol)
            except (OSError, TimeoutError, ValkeyUnavailable, hiredis.HiredisError) as problem:
                log.debug("valkey_not_reached", error=repr(problem))
                await asyncio.sleep(RETRY_SECONDS)
                continue
            self._protocol = protocol
            self._on_up()
            return

    async def _connect(self) -> _Protocol:
        options = self._options
        if "path" in options:
            _, protocol = await self._loop.create_unix_connection(
                lambda: _Protocol(self._lost), options["path"]
            )
        else:
            secure = "ssl" in getattr(options.get("connection_class"), "__name__", "").lower()
            _, protocol = await self._loop.create_connection(
                lambda: _Protocol(self._lost),
                options.get("host", "localhost"),
                options.get("port", 6379),
                ssl=ssl.create_default_context() if secure else None,
            )
        return protocol

    async def _greet(self, protocol: _Protocol) -> None:
        """Sign in, choose the database and make the scripts known, all before anybody may use the connection."""
        options = self._options
        commands: list[tuple[Argument, ...]] = [("INFO", "cluster")]
        if options.get("password"):
            commands.insert(0, ("AUTH", options.get("username") or "default", options["password"]))
        if options.get("db"):
            commands.append(("SELECT", options["db"]))
        commands.extend(("SCRIPT", "LOAD", script.source) for script in self._scripts)
        futures = []
        assert protocol.transport is not None
        try:
            for words in commands:
                futures.append(self._loop.create_future())
                protocol.waiting.append((futures[-1], 0.0))
                protocol.transport.write(_packed(words))
            replies = await asyncio.gather(*futures)
            self.in_cluster = any(b"cluster_enabled:1" in one for one in replies if isinstance(one, bytes))
        except BaseException:
            protocol.transport.abort()
            raise
