"""The usage streams in Valkey, one a shard, as drains see them: consumer groups of which each drain is a member."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import secrets
import socket
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import redis
import structlog
from redis.exceptions import ClusterDownError, SlotNotCoveredError

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
Command = Callable[[Any, str], Any]  # on a client or its pipeline, and a stream
Step = Callable[[Any], None]

# A cluster's node that does not answer is asked again after so long.
LOOK_AGAIN_SECONDS = 5.0
AWAY = (redis.ConnectionError, redis.TimeoutError, ClusterDownError, SlotNotCoveredError)

log = structlog.get_logger(__name__)


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
    commands on several streams travel together, never in one transaction, and while one of its nodes is away the
    streams of the others go on.
    """

    def __init__(self, valkey: Client) -> None:
        self._valkey = valkey
        self._away_until: dict[str, float] = {}
        self.member = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"

    def take(self, count: int) -> list[Entry]:
        """New entries, up to `count` of each stream. Makes the groups where there are none."""
        replies = self._ask(
            lambda valkey, stream: valkey.xreadgroup(GROUP, self.member, {stream: ">"}, count)
        )
        return [
            entry for stream, reply in replies for entry in _entries(stream, reply[0][1] if reply else [])
        ]

    def claim(self, count: int) -> list[Entry]:
        """Entries that were taken long ago and never acknowledged, by whomever."""
        replies = self._ask(
            lambda valkey, stream: valkey.xautoclaim(stream, GROUP, self.member, CLAIM_AFTER_MS, count=count)
        )
        return [entry for stream, reply in replies for entry in _entries(stream, reply[1])]

    def finish(
        self, entries: Iterable[Entry], rejected: Mapping[Entry, str], journals: Mapping[str, bytes]
    ) -> None:
        """Tell journals what the ledger has (attempt ids of 16 bytes each), then acknowledge and remove entries; those
        `rejected` move to streams of their own. May be done in part: what is left comes again, and a journal that was
        not told sends again what the ledger has."""
        ids: dict[str, list[bytes]] = {}
        for entry in (*entries, *rejected):
            ids.setdefault(entry.stream, []).append(entry.id)
        steps = [
            *[functools.partial(_tell, journal, attempts) for journal, attempts in journals.items()],
            *[functools.partial(_put_aside, entry, reason) for entry, reason in rejected.items()],
            *[functools.partial(_acknowledge, stream, done) for stream, done in ids.items()],
        ]
        if ids:
            self._do(steps)

    def _do(self, steps: Sequence[Step]) -> None:
        try:
            with self._valkey.pipeline(transaction=False) as commands:
                for step in steps:
                    step(commands)
                commands.execute()
        except AWAY:
            if isinstance(self._valkey, redis.Redis):
                raise
            for step in steps:
                with contextlib.suppress(*AWAY):
                    step(self._valkey)

    def forget_dead_members(self) -> None:
        """Remove members that are gone for an hour and hold nothing (removing one drops what it holds)."""
        for stream in self._there():
            members: Any = self._valkey.xinfo_consumers(stream, GROUP)
            for member in members:
                if member["pending"] == 0 and member["idle"] > FORGET_MEMBER_AFTER_MS:
                    self._valkey.xgroup_delconsumer(stream, GROUP, member["name"])

    def leave(self) -> None:
        """Remove this member, save where it still holds entries: another one claims those."""
        for stream in self._there():
            held: Any = self._valkey.xpending_range(stream, GROUP, "-", "+", 1, consumername=self.member)
            if not held:
                self._valkey.xgroup_delconsumer(stream, GROUP, self.member)

    def _ask(self, command: Command) -> list[tuple[str, Any]]:
        """Streams with their replies; those that have no group yet get one, and answer the next time."""
        streams = self._there()
        try:
            with self._valkey.pipeline(transaction=False) as commands:
                for stream in streams:
                    command(commands, stream)
                replies = commands.execute(raise_on_error=False)
        except AWAY:
            if isinstance(self._valkey, redis.Redis):
                raise
            replies = [self._ask_alone(command, stream) for stream in streams]
        return [
            (stream, reply)
            for stream, reply in zip(streams, replies, strict=True)
            if self._is_answer(stream, reply)
        ]

    def _ask_alone(self, command: Command, stream: str) -> Any:
        try:
            return command(self._valkey, stream)
        except redis.RedisError as problem:
            return problem

    def _is_answer(self, stream: str, reply: Any) -> bool:
        """Raises what says that nothing works."""
        if isinstance(reply, redis.ResponseError) and str(reply).startswith("NOGROUP"):
            self._make_group(stream)
            return False
        if isinstance(reply, AWAY) and not isinstance(self._valkey, redis.Redis):
            self._away_until[stream] = time.monotonic() + LOOK_AGAIN_SECONDS
            if not self._there():
                raise reply
            log.warning("stream_away", stream=stream, error=type(reply).__name__)
            return False
        if isinstance(reply, Exception):
            raise reply
        return True

    def _there(self) -> list[str]:
        """All streams but those whose node did not answer a moment ago."""
        now = time.monotonic()
        return [stream for stream in STREAMS if self._away_until.get(stream, 0.0) <= now]

    def _make_group(self, stream: str) -> None:
        """From the stream's beginning: what it holds was not drained by any group that still exists."""
        try:
            self._valkey.xgroup_create(stream, GROUP, id="0", mkstream=True)
        except redis.ResponseError as problem:
            if not str(problem).startswith("BUSYGROUP"):  # another drain was quicker
                raise


def _tell(journal: str, attempts: bytes, valkey: Any) -> None:
    valkey.rpush(acknowledgements(journal), attempts)
    valkey.expire(acknowledgements(journal), KEEP_ACKNOWLEDGEMENTS_SECONDS)


def _put_aside(entry: Entry, reason: str, valkey: Any) -> None:
    fields: dict[Any, Any] = {**entry.fields, b"entry": entry.id, b"reason": reason}
    valkey.xadd(rejected_stream(entry.stream), fields)


def _acknowledge(stream: str, ids: Sequence[bytes], valkey: Any) -> None:
    valkey.xack(stream, GROUP, *ids)
    valkey.xdel(stream, *ids)


def _entries(stream: str, raw: Iterable[Any]) -> list[Entry]:
    return [Entry(stream, id_, fields or {}) for id_, fields in raw]
