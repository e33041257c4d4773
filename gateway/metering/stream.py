"""The usage stream in Valkey, as its drains see it: a consumer group of which each drain is a member."""

from __future__ import annotations

import dataclasses
import os
import secrets
import socket
from collections.abc import Iterable, Mapping
from typing import Any

import redis

from gateway.metering.event import FIELD, STREAM

GROUP = "drain"
REJECTED = f"{STREAM}:rejected"

# Entries that a member has held for so long are taken over: it died, or its acknowledgement was lost. Taking
# them from a member that lives is harmless, since the ledger takes an attempt once.
CLAIM_AFTER_MS = 3_000
FORGET_MEMBER_AFTER_MS = 3_600_000

Fields = dict[bytes, bytes]


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    id: bytes
    fields: Fields = dataclasses.field(compare=False)

    @property
    def payload(self) -> bytes:
        """The encoded event; empty if the entry holds none."""
        return self.fields.get(FIELD.encode(), b"")


class UsageStream:
    """Every method raises `redis.RedisError` while Valkey is away.

    `valkey` is a client for RESP2: with RESP3, redis-py answers XREADGROUP in another shape.
    """

    def __init__(self, valkey: redis.Redis) -> None:
        self._valkey = valkey
        self.member = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"

    def take(self, count: int, block_ms: int) -> list[Entry]:
        """New entries; waits up to `block_ms` for the first one. Makes the group where there is none."""
        try:
            reply: Any = self._valkey.xreadgroup(GROUP, self.member, {STREAM: ">"}, count, block_ms)
        except redis.ResponseError as problem:
            if not str(problem).startswith("NOGROUP"):
                raise
            self._make_group()
            return []
        return _entries(reply[0][1]) if reply else []

    def claim(self, count: int) -> list[Entry]:
        """Entries that were taken long ago and never acknowledged, by whomever."""
        try:
            reply: Any = self._valkey.xautoclaim(STREAM, GROUP, self.member, CLAIM_AFTER_MS, count=count)
        except redis.ResponseError as problem:
            if not str(problem).startswith("NOGROUP"):
                raise
            self._make_group()
            return []
        return _entries(reply[1])

    def finish(self, entries: Iterable[Entry], rejected: Mapping[Entry, str]) -> None:
        """Acknowledge and remove entries; those `rejected` move to a stream of their own, all in one step."""
        ids = [entry.id for entry in (*entries, *rejected)]
        if not ids:
            return
        with self._valkey.pipeline(transaction=True) as commands:
            for entry, reason in rejected.items():
                fields: dict[Any, Any] = {**entry.fields, b"entry": entry.id, b"reason": reason}
                commands.xadd(REJECTED, fields)
            commands.xack(STREAM, GROUP, *ids)
            commands.xdel(STREAM, *ids)
            commands.execute()

    def forget_dead_members(self) -> None:
        """Remove members that are gone for an hour and hold nothing (removing one drops what it holds)."""
        members: Any = self._valkey.xinfo_consumers(STREAM, GROUP)
        for member in members:
            if member["pending"] == 0 and member["idle"] > FORGET_MEMBER_AFTER_MS:
                self._valkey.xgroup_delconsumer(STREAM, GROUP, member["name"])

    def leave(self) -> None:
        """Remove this member, unless it still holds entries: another one claims those."""
        held: Any = self._valkey.xpending_range(STREAM, GROUP, "-", "+", 1, consumername=self.member)
        if not held:
            self._valkey.xgroup_delconsumer(STREAM, GROUP, self.member)

    def _make_group(self) -> None:
        """From the stream's beginning: what it holds was not drained by any group that still exists."""
        try:
            self._valkey.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
        except redis.ResponseError as problem:
            if not str(problem).startswith("BUSYGROUP"):  # another drain was quicker
                raise


def _entries(raw: Iterable[Any]) -> list[Entry]:
    return [Entry(id_, fields or {}) for id_, fields in raw]
