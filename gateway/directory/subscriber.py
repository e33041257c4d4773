"""Hears what `publish.py` announces and keeps this process's directory true within a second."""

from __future__ import annotations

import asyncio
import uuid
from typing import Protocol

import msgspec
import redis.asyncio
import redis.exceptions
import structlog

from gateway.directory.change import CHANNEL, Change

log = structlog.get_logger(__name__)

_decoder = msgspec.json.Decoder(Change)


class Listener(Protocol):
    def changed(self, change: Change) -> None: ...
    def hearing(self, hears: bool) -> None: ...


async def listen(redis_url: str, listener: Listener) -> None:
    """Run until cancelled. `hearing(True)` after each (re)connection: anything may have been missed before."""
    while True:
        client = redis.asyncio.Redis.from_url(redis_url, socket_connect_timeout=2)
        try:
            async with client.pubsub() as subscription:
                await subscription.subscribe(CHANNEL)
                await _hear(subscription, listener)
        except (redis.exceptions.RedisError, OSError) as problem:
            log.warning("directory_not_listening", error=str(problem))
        except Exception:
            log.exception("directory_not_listening")
        finally:
            listener.hearing(False)
            await client.aclose()
        await asyncio.sleep(0.5)


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
