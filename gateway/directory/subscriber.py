"""Hears what `publish.py` announces and keeps this process's directory true within a second.

A cluster's nodes pass on to each other what they are told, so that any of them can be listened to.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from typing import Any, Protocol

import msgspec
import redis.asyncio
import redis.exceptions
import structlog
from redis.asyncio.connection import parse_url

from gateway.directory.change import CHANNEL, Change

log = structlog.get_logger(__name__)

_decoder = msgspec.json.Decoder(Change)


class Listener(Protocol):
    def changed(self, change: Change) -> None: ...
    def hearing(self, hears: bool) -> None: ...


async def listen(redis_url: str, listener: Listener) -> None:
    """Run until cancelled. `hearing(True)` after each (re)connection: anything may have been missed before."""
    nodes = _Nodes(redis_url)
    while True:
        client = nodes.client()
        try:
            async with client.pubsub() as subscription:
                await subscription.subscribe(CHANNEL)
                await nodes.learn(client)
                await _hear(subscription, listener)
        except (redis.exceptions.RedisError, OSError) as problem:
            log.warning("directory_not_listening", error=str(problem))
        except Exception:
            log.exception("directory_not_listening")
        finally:
            listener.hearing(False)
            await client.aclose()
        await asyncio.sleep(0.5)


class _Nodes:
    """The server that `redis_url` names, and in a cluster all others: where one is away the next is listened to."""

    def __init__(self, redis_url: str) -> None:
        self._options: Mapping[str, Any] = parse_url(redis_url)
        self._others: list[tuple[str, int]] = []
        self._turn = 0

    def client(self) -> redis.asyncio.Redis:
        """Of another one each time."""
        options = {**self._options, "socket_connect_timeout": 2}
        which = self._turn % (len(self._others) + 1)
        self._turn += 1
        if which:
            options["host"], options["port"] = self._others[which - 1]
        return redis.asyncio.Redis.from_pool(redis.asyncio.ConnectionPool(**options))

    async def learn(self, client: redis.asyncio.Redis) -> None:
        if (await client.info("cluster")).get("cluster_enabled"):
            nodes: Mapping[str, Any] = await client.execute_command("CLUSTER NODES")
            self._others = [(host, int(port)) for host, _, port in (name.rpartition(":") for name in nodes)]


async def _hear(subscription: redis.asyncio.client.PubSub, listener: Listener) -> None:
    """One connection's life. A ping each two seconds finds a Valkey that accepts and says nothing."""
    silent = 0
    while True:
        message = await subscription.get_message(timeout=2.0)
        if message is None:
            silent += 1
            if silent > 2:
                raise redis.exceptions.TimeoutError("no answer to pings")
            await subscription.ping()
            continue
        silent = 0
        if message["type"] == "subscribe":
            listener.hearing(True)
        elif message["type"] == "message":
            _apply(message["data"], listener)


def _apply(data: bytes, listener: Listener) -> None:
    try:
        change = _decoder.decode(data)
        if change.kind == "organization":
            uuid.UUID(change.subject)
    except (msgspec.MsgspecError, ValueError) as problem:
        log.error("directory_change_not_understood", error=str(problem))
        return
    listener.changed(change)
