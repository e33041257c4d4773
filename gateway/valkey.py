"""Valkey for the hot path: one server, or a cluster, of which each key has its node.

A cluster is recognised by itself: `REDIS_URL` names any of its nodes. Commands go to the node that has the slot of
their first key; all keys of one call share a slot, by the part of their names in braces. Where a slot moved, the
command goes after it once, and the map is read again.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import hiredis
import structlog
from redis.asyncio.connection import parse_url
from redis.crc import key_slot

from gateway.valkey_connection import CONNECT_SECONDS, Argument, Connection, Script, ValkeyUnavailable

__all__ = ["Argument", "Script", "Valkey", "ValkeyUnavailable"]

log = structlog.get_logger(__name__)

MAP_SECONDS = 10.0  # a replica that took over tells nobody
MOVES = 2  # how often one command follows its slot

Address = tuple[str, int]


class Valkey:
    """Calls scripts and commands. `on_up` is called after each (re)connection to a server."""

    def __init__(
        self, url: str, scripts: Sequence[Script], *, on_up: Callable[[], None] = lambda: None
    ) -> None:
        self._options: Mapping[str, Any] = parse_url(url)
        self._scripts = scripts
        self.on_up = on_up
        self._loop = asyncio.get_running_loop()
        self._first = self._connection(self._options)
        self._cluster: _Map | None = None
        self._mapping: asyncio.Task[None] | None = None

    @property
    def available(self) -> bool:
        """Whether there is a working connection; in a cluster, to any of its nodes."""
        if self._cluster is None:
            return self._first.available
        return any(connection.available for connection in self._cluster.nodes.values())

    @property
    def whole(self) -> bool:
        """Whether every server is reached."""
        if self._cluster is None:
            return self._first.available
        return all(connection.available for connection in self._cluster.nodes.values())

    def reaches(self, key: Argument) -> bool:
        """Whether there is a working connection to the server that has this key."""
        if self._cluster is None:
            return self._first.available
        node = self._cluster.of(key_slot(_bytes(key)))
        return node is not None and node.available

    async def start(self) -> None:
        """Connect now if Valkey is there; else go on trying in the background."""
        await self._first.start()
        if self._cluster is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CONNECT_SECONDS):
                    while not self.whole or not self._cluster.nodes:  # noqa: ASYNC110 - once, at the beginning
                        await asyncio.sleep(0.01)

    async def stop(self) -> None:
        if self._mapping is not None:
            self._mapping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._mapping
        nodes = list(self._cluster.nodes.values()) if self._cluster is not None else []
        for connection in (self._first, *nodes):
            await connection.stop()

    def call(
        self, script: Script, keys: Sequence[Argument], arguments: Sequence[Argument]
    ) -> asyncio.Future[Any]:
        """The script's reply. Fails with `ValkeyUnavailable`, or with the script's own error."""
        words = ("EVALSHA", script.sha, len(keys), *keys, *arguments)
        if self._cluster is None:
            return self._first.send(words)
        return self._to_node(key_slot(_bytes(keys[0])), words)

    def command(self, *words: Argument) -> asyncio.Future[Any]:
        """Any other command's reply; its second word is its key, if it has one."""
        if self._cluster is None:
            return self._first.send(words)
        return self._to_node(key_slot(_bytes(words[1] if len(words) > 1 else "")), words)

    def _to_node(self, slot: int, words: tuple[Argument, ...]) -> asyncio.Future[Any]:
        assert self._cluster is not None
        answer: asyncio.Future[Any] = self._loop.create_future()
        self._try(self._cluster.of(slot), slot, words, answer, MOVES)
        return answer

    def _try(
        self,
        connection: Connection | None,
        slot: int,
        words: tuple[Argument, ...],
        answer: asyncio.Future[Any],
        moves: int,
    ) -> None:
        if connection is None:
            answer.set_exception(ValkeyUnavailable(f"nobody is known to have slot {slot}"))
            answer.exception()
            return
        reply = connection.send(words)
        reply.add_done_callback(lambda reply: self._replied(reply, slot, words, answer, moves))

    def _replied(
        self,
        reply: asyncio.Future[Any],
        slot: int,
        words: tuple[Argument, ...],
        answer: asyncio.Future[Any],
        moves: int,
    ) -> None:
        problem = reply.exception()
        if answer.done():  # the caller was cancelled
            return
        if problem is None:
            answer.set_result(reply.result())
        elif isinstance(problem, hiredis.ReplyError) and (moved := _moved(problem)) is not None:
            assert self._cluster is not None
            self._cluster.stale.set()
            if moves:
                self._cluster.move(slot, moved or self._cluster.address_of(slot))
                self._try(self._cluster.of(slot), slot, words, answer, moves - 1)
            else:
                answer.set_exception(ValkeyUnavailable(str(problem)))
        else:
            answer.set_exception(problem)

    def _connection(self, options: Mapping[str, Any]) -> Connection:
        return Connection(options, self._scripts, on_up=self._is_up, on_lost=self._was_lost)

    def _is_up(self) -> None:
        if self._cluster is None and self._first.in_cluster:
            self._cluster = _Map(self._options, self._connection)
            self._mapping = asyncio.create_task(self._keep_map(self._cluster))
        else:
            self.on_up()

    def _was_lost(self) -> None:
        if self._cluster is not None:
            self._cluster.stale.set()

    async def _keep_map(self, cluster: _Map) -> None:
        """Ask any node that answers who has which slots, whenever something moved and now and then."""
        while True:
            cluster.stale.clear()
            for connection in (self._first, *cluster.nodes.values()):
                try:
                    await cluster.take(await connection.send(("CLUSTER", "SLOTS")))
                    break
                except (ValkeyUnavailable, hiredis.ReplyError) as problem:
                    log.debug("cluster_map_not_read", error=str(problem))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(MAP_SECONDS):
                    await cluster.stale.wait()
            await asyncio.sleep(0.1)


class _Map:
    """Who has which of the 16,384 slots, and a connection to each of them."""

    def __init__(
        self, options: Mapping[str, Any], connection: Callable[[Mapping[str, Any]], Connection]
    ) -> None:
        self.nodes: dict[Address, Connection] = {}
        self.stale = asyncio.Event()
        self._options = options
        self._connection = connection
        self._slots: dict[int, Address] = {}
        self._starting: set[asyncio.Task[None]] = set()

    def of(self, slot: int) -> Connection | None:
        return self.nodes.get(self._slots.get(slot, ("", 0)))

    def address_of(self, slot: int) -> Address:
        return self._slots.get(slot, ("", 0))

    def move(self, slot: int, address: Address) -> None:
        self._slots[slot] = address
        self._open(address)

    async def take(self, reply: list[Any]) -> None:
        """CLUSTER SLOTS: a first and a last slot, then host and port of the one that has them and of its replicas."""
        slots: dict[int, Address] = {}
        for first, last, (host, port, *_), *_ in reply:
            address = (host.decode() if host else self._options.get("host", "localhost"), int(port))
            slots.update(dict.fromkeys(range(first, last + 1), address))
        self._slots = slots
        for address in set(slots.values()):
            self._open(address)
        for address in set(self.nodes) - set(slots.values()):
            await self.nodes.pop(address).stop()

    def _open(self, address: Address) -> None:
        if address not in self.nodes:
            host, port = address
            options = {**self._options, "host": host, "port": port}
            options.pop("path", None)
            self.nodes[address] = self._connection(options)
            starting = asyncio.create_task(self.nodes[address].start())
            self._starting.add(starting)
            starting.add_done_callback(self._starting.discard)


def _moved(problem: hiredis.ReplyError) -> Address | None:
    """Where `MOVED <slot> <host>:<port>` points; None for any other answer."""
    word, _, rest = str(problem).partition(" ")
    if word != "MOVED":
        return None
    host, _, port = rest.partition(" ")[2].rpartition(":")
    return host, int(port)


def _bytes(key: Argument) -> bytes:
    return key if isinstance(key, bytes) else str(key).encode()
