"""The usage streams in Valkey, one a shard, as drains see them: consumer groups of which each drain is a member."""

from __future__ import annotations

import dataclasses
import os
import secrets
import socket
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import redis

from gateway.metering.event import FIELD, acknowledgements
from gateway.shards import SHARDS, usage_stream
from gateway.valkey_clients import Client

GROUP = "drain"
STREAMS = tuple(usage_stream(shard) for shard in range(SHARDS))

# Entries that a member has held for so long are taken over: it died, or its acknowledgement was lost. Taking
# them from a member that lives is harmless, since the ledger takes an attempt once.
CLAIM_AFTER_MS = 3_000
FORGET_MEMBER_AFTER_MS = 3_600_000

# Whoever waits for acknowledgements asks twice a second; those of a process that is gone for good go by themselves.
KEEP_ACKNOWLEDGEMENTS_SECONDS = 3_600

Fields = dict[bytes, bytes]


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    stream: str
    id: bytes
    fields: Fields = dataclasses.field(compare=False)

    @property
    def payload(self) -> bytes:
        """The encoded event; empty if the entry holds none."""
        return self.fields.get(FIELD.encode(), b"")


def rejected_stream(stream: str) -> str:
    """Where entries of a stream are put aside."""
    return f"{stream}:rejected"


class UsageStreams:
    """Every method raises `redis.RedisError` while Valkey is away.

    `valkey` is a client for RESP2: with RESP3, redis-py answers XREADGROUP in another shape. It may be a cluster's:
    commands on several streams travel together, never in one transaction.
    """

    def __init__(self, valkey: Client) -> None:
        self._valkey = valkey
        self.member = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"

    def take(self, count: int) -> list[Entry]:
        """New entries, up to `count` of each stream. Makes the groups where there are none."""
        with self._valkey.pipeline(transaction=False) as commands:
            for stream in STREAMS:
                commands.xreadgroup(GROUP, self.member, {stream: ">"}, count)
            replies = commands.execute(raise_on_error=False)
        return [
            entry
            for stream, reply in self._answered(replies)
            for entry in _entries(stream, reply[0][1] if reply else [])
        ]

    def claim(self, count: int) -> list[Entry]:
        """Entries that were taken long ago and never acknowledged, by whomever."""
        with self._valkey.pipeline(transaction=False) as commands:
            for stream in STREAMS:
                commands.xautoclaim(stream, GROUP, self.member, CLAIM_AFTER_MS, count=count)
            replies = commands.execute(raise_on_error=False)
        return [entry for stream, reply in self._answered(replies) for entry in _entries(stream, reply[1])]

    def finish(
        self, entries: Iterable[Entry], rejected: Mapping[Entry, str], journals: Mapping[str, bytes]
    ) -> None:
        """Tell journals what the ledger has (attempt ids of 16 bytes each), then acknowledge and remove entries; those
        `rejected` move to streams of their own. May be done in part: what is left comes again."""
        ids: dict[str, list[bytes]] = {}
        for entry in (*entries, *rejected):
            ids.setdefault(entry.stream, []).append(entry.id)
        if not ids:
            return
        with self._valkey.pipeline(transaction=False) as commands:
            for journal, attempts in journals.items():
                commands.rpush(acknowledgements(journal), attempts)
                commands.expire(acknowledgements(journal), KEEP_ACKNOWLEDGEMENTS_SECONDS)
            for entry, reason in rejected.items():
                fields: dict[Any, Any] = {**entry.fields, b"entry": entry.id, b"reason": reason}
                commands.xadd(rejected_stream(entry.stream), fields)
            for stream, done in ids.items():
                commands.xack(stream, GROUP, *done)
                commands.xdel(stream, *done)
            commands.execute()

    def forget_dead_members(self) -> None:
        """Remove members that are gone for an hour and hold nothing (removing one drops what it holds)."""
        for stream in STREAMS:
            members: Any = self._valkey.xinfo_consumers(stream, GROUP)
            for member in members:
                if member["pending"] == 0 and member["idle"] > FORGET_MEMBER_AFTER_MS:
                    self._valkey.xgroup_delconsumer(stream, GROUP, member["name"])

    def leave(self) -> None:
        """Remove this member, save where it still holds entries: another one claims those."""
        for stream in STREAMS:
            held: Any = self._valkey.xpending_range(stream, GROUP, "-", "+", 1, consumername=self.member)
            if not held:
                self._valkey.xgroup_delconsumer(stream, GROUP, self.member)

    def _answered(self, replies: Iterable[Any]) -> Iterator[tuple[str, Any]]:
        """Streams with their replies; those that have no group yet get one, and answer the next time."""
        for stream, reply in zip(STREAMS, replies, strict=True):
            if isinstance(reply, redis.ResponseError) and str(reply).startswith("NOGROUP"):
                self._make_group(stream)
            elif isinstance(reply, Exception):
                raise reply
            else:
                yield stream, reply

    def _make_group(self, stream: str) -> None:
        """From the stream's beginning: what it holds was not drained by any group that still exists."""
        try:
            self._valkey.xgroup_create(stream, GROUP, id="0", mkstream=True)
        except redis.ResponseError as problem:
            if not str(problem).startswith("BUSYGROUP"):  # another drain was quicker
                raise


def _entries(stream: str, raw: Iterable[Any]) -> list[Entry]:
    return [Entry(stream, id_, fields or {}) for id_, fields in raw]
