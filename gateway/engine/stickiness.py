"""Keeping a conversation at the provider that has its beginning cached.

It matters where the client names a conversation or marks what to cache, and where there is a choice. Then the choice by
weight is made once for all replicas, by a hash, and a conversation that had to move stays where it moved to for
as long as a provider keeps a prompt (five minutes).
"""

from __future__ import annotations

import asyncio
import hashlib

import msgspec

from gateway.directory.catalog import Target
from gateway.engine.call import Call
from gateway.valkey import Valkey, ValkeyUnavailable

KEPT_MS = 300_000

_MARK = b'"cache_control"'
_PREFIX = ("tools", "system")


class Stickiness:
    """`ordered` before the first attempt, `served` after the one that was answered."""

    def __init__(self, valkey: Valkey) -> None:
        self._valkey = valkey

    async def ordered(self, call: Call) -> list[Target]:
        """The model's targets in the order in which they are to be tried."""
        targets = call.model.targets
        if len(targets) < 2:
            return list(targets)
        name = conversation_of(call)
        if not name:
            return call.model.ordered_targets()
        ordered = call.model.ordered_targets(lambda target: _draw(name, target))
        last = await self._last(name)
        return sorted(
            ordered, key=lambda target: target.circuit.encode() != last
        )  # stable: only that one moves

    def served(self, call: Call, target: Target) -> None:
        """Remember where a conversation was answered; only where there is a choice."""
        if name := conversation_of(call):
            self._valkey.command("SET", name, target.circuit, "PX", KEPT_MS).add_done_callback(_ignore)

    async def _last(self, name: str) -> bytes | None:
        try:
            return bytes(await self._valkey.command("GET", name) or b"")
        except ValkeyUnavailable:
            return None


def conversation_of(call: Call) -> str:
    """Where the last provider of this conversation is kept, or nothing where it does not matter.

    Named by the client's session, else by what it marks to be cached: tools and system prompt, and the first
    message where the mark stands among the messages.
    """
    if call.session_id:
        return _key(call, call.session_id.encode())
    if _MARK not in call.body.raw:
        return ""
    fields = call.body.fields
    prefix = [bytes(fields[name]) for name in _PREFIX if name in fields]
    if not any(_MARK in part for part in prefix):
        prefix.append(_first(fields.get("messages")))
    return _key(call, b"".join(prefix))


def _first(messages: msgspec.Raw | None) -> bytes:
    turns = msgspec.json.decode(messages, type=list[msgspec.Raw]) if messages is not None else []
    return bytes(turns[0]) if turns else b""


def _key(call: Call, what: bytes) -> str:
    digest = hashlib.sha256(call.model.name.encode() + b"\0" + what).hexdigest()
    return f"gw:{{{call.principal.organization_id}}}:conversation:{digest}"


def _draw(name: str, target: Target) -> float:
    """A number in (0, 1) that is the same in every process."""
    digest = hashlib.sha256(f"{name}\0{target.circuit}".encode()).digest()
    return (int.from_bytes(digest[:8]) + 1) / (2**64 + 2)


def _ignore(future: asyncio.Future[object]) -> None:
    """Where Valkey is away the next request chooses anew."""
    if not future.cancelled():
        future.exception()
