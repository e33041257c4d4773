"""The journal: on disk, what each attempt has used or will have used, until the drain says that Postgres has it.

An attempt is written down before its provider is called, with what is reserved for it, and again when it is settled.
A process that dies leaves the first, another takes the journal over and closes the attempt as `unknown`. What Valkey
did not take, or lost, is sent again; the ledger knows an attempt by its id, so that nothing counts twice.

What is settled is on its way to Valkey, so its record may wait for the next write, some tenths of a second at most; a
process that dies in between leaves the attempt as it was opened, and the ledger prefers what Valkey has.

A folder of segments (`journal_segment.py`). Each process is an owner that writes segments of its own and holds a lock
on `<owner>.lock` for as long as it lives, so that others can tell which are left by the dead, and adopt them. A record
survives the death of its process (it is in the page cache) and, a second later, a loss of power (`sync`), not that of
the disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import time
import uuid
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import structlog

from gateway.metering.journal_segment import (
    ID_BYTES,
    OPENED,
    SETTLED,
    SUFFIX,
    Id,
    Record,
    Segment,
    all_records,
    keep_aside_damage,
    record,
    some_records,
)
from gateway.metering.owners import Owner, adopted_owners

SEGMENT_BYTES = 4 << 20
SEGMENT_SECONDS = 5.0

# `full` is told while there is still room, so that requests under way can be written down.
RESERVE_BYTES = 1 << 20

# How long the size of what other processes wrote may be taken from memory.
OTHERS_SECONDS = 0.1
DISK_FULL_SECONDS = 1.0

# Seconds after which an open attempt moves to a new segment, so that the old one may go.
CARRY_AFTER = 30.0

# Of events that Valkey took and nobody acknowledged: beyond that a drain is at work that does not know how.
MOST_REPLAYS = 5

Send = Callable[[list[bytes]], Awaitable[None]]

log = structlog.get_logger(__name__)


class JournalFull(Exception):
    """The journal is at its bound, or the disk is full; the record was not written."""


class Journal:
    """One process's hold on the folder. Not for use by several threads."""

    def __init__(self, folder: Path, *, max_bytes: int, segment_bytes: int = SEGMENT_BYTES) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._max_bytes = max_bytes
        self._segment_bytes = min(segment_bytes, max(1, max_bytes // 8))
        self._owner = Owner(folder)
        self._segment: Segment | None = None
        # All that have anything left, the oldest first.
        self._segments: OrderedDict[Path, Segment] = OrderedDict()
        self._opened_in: dict[Id, Segment] = {}
        self._settled_in: dict[Id, Segment] = {}
        self._adopted: dict[str, Owner] = {}
        self._own_bytes = 0
        self._others_bytes = 0
        self._others_until = 0.0
        self._disk_full_until = 0.0
        self._replaying = False

    # --- What the engine tells ---

    @property
    def owner(self) -> str:
        """Who acknowledgements of events that are written or sent now are for."""
        return self._owner.name

    def opened(self, attempt_id: uuid.UUID, event: bytes) -> None:
        """An attempt is about to begin; `event` is what is to be said of it if nothing more is heard.

        Raises `JournalFull`; older records are never given up for it.
        """
        id_ = attempt_id.bytes
        segment = self._write(OPENED, id_, event, at_once=True)
        segment.open[id_] = event
        self._opened_in[id_] = segment

    def settled(self, attempt_id: uuid.UUID, event: bytes) -> None:
        """The attempt is over, and its event on its way to Valkey. Raises `JournalFull`."""
        id_ = attempt_id.bytes
        try:
            segment = self._write(SETTLED, id_, event, at_once=False)
        finally:
            self._no_longer_open(id_)
        segment.used_at = time.monotonic()
        self._keep_in(segment, id_)

    def not_sent(self, attempt_id: uuid.UUID, event: bytes) -> bool:
        """Valkey may not have the event: it is replayed when Valkey is there. Whether it is written down here."""
        segment = self._settled_in.get(attempt_id.bytes)
        if segment is None or not self._flushed():
            return False
        segment.waiting[attempt_id.bytes] = len(event)
        return True

    # --- What its keeper asks and tells ---

    @property
    def waiting_bytes(self) -> int:
        """Of events that Valkey does not have."""
        return sum(sum(segment.waiting.values()) for segment in self._segments.values())

    @property
    def waits(self) -> bool:
        return any(segment.waiting for segment in self._segments.values())

    @property
    def size(self) -> int:
        """Bytes in the folder, of all processes."""
        if time.monotonic() >= self._others_until:
            self._measure()
        return self._others_bytes + self._own_bytes

    @property
    def full(self) -> bool:
        """Time to refuse new work, while Valkey is away."""
        reserve = min(RESERVE_BYTES, self._max_bytes // 10)
        return self.size + reserve >= self._max_bytes or time.monotonic() < self._disk_full_until

    @property
    def open_attempts(self) -> int:
        return len(self._opened_in)

    @property
    def unacknowledged(self) -> int:
        return len(self._settled_in)

    def acknowledged(self, ids: bytes) -> None:
        """The ledger has these attempts: ids of 16 bytes each, one after another."""
        for at in range(0, len(ids), ID_BYTES):
            id_ = ids[at : at + ID_BYTES]
            segment = self._settled_in.pop(id_, None)
            if segment is not None:
                segment.events.discard(id_)
                segment.waiting.pop(id_, None)
                self._remove_if_done(segment)

    def valkey_is_back(self) -> None:
        """What is settled from here on is apart from what Valkey may have lost."""
        self._seal()

    def lost_before(self, moment: float, *, replays_too: bool = True) -> None:
        """What Valkey took before this moment (`time.monotonic`) and nobody acknowledged is not there any more.

        Without `replays_too` what was settled before counts, whenever it was sent for the last time.
        """
        for segment in list(self._segments.values()):
            lost = segment.events - segment.waiting.keys()
            used_at = max(segment.used_at, segment.replayed_at) if replays_too else segment.used_at
            if not lost or used_at >= moment:
                continue
            segment.replays += 1
            segment.replayed_at = time.monotonic()
            if segment.replays > MOST_REPLAYS:
                log.error("usage_never_acknowledged", events=len(lost))
                self._forget(segment, lost)
            else:
                log.warning("usage_sent_again", events=len(lost))
                segment.waiting.update(dict.fromkeys(lost, 0))

    def keep_small(self) -> None:
        """Begin another segment now and then, carry old open attempts over, and stay within the bound."""
        self._flushed()
        now = time.monotonic()
        if self._segment is not None and now - self._segment.began > SEGMENT_SECONDS:
            self._seal()
        for segment in list(self._segments.values()):
            if segment is not self._segment and now - segment.began > CARRY_AFTER and not segment.events:
                self._carry_over(segment)
        while self._own_bytes > self._max_bytes and (oldest := self._only_sent()) is not None:
            log.error("usage_journal_full", given_up=len(oldest.events), why="the drain acknowledges nothing")
            self._forget(oldest, set(oldest.events))

    async def sync(self) -> None:
        """Bring what was written to the disk; in a thread, for all attempts since the last time."""
        self._flushed()
        for segment in [one for one in self._segments.values() if one.dirty]:
            segment.dirty = False
            with contextlib.suppress(OSError):  # removed meanwhile
                await asyncio.to_thread(os.fdatasync, segment.descriptor)

    async def adopt(self) -> int:
        """Take over what the dead left: their open attempts are closed as they began, all events wait to be sent.

        Returns the number of attempts that nobody had closed.
        """
        closed = 0
        for owner in await asyncio.to_thread(adopted_owners, self._folder, {self.owner, *self._adopted}):
            self._adopted[owner.name] = owner
            paths = sorted(self._folder.glob(f"*.{owner.name}{SUFFIX}"))
            found = [(path, await asyncio.to_thread(all_records, path)) for path in paths]
            settled = {id_ for _, records in found for kind, id_, _ in records if kind == SETTLED}
            opened = {id_: event for _, records in found for kind, id_, event in records if kind == OPENED}
            for path, records in found:
                self._take_over(path, records)
            for id_, event in opened.items():
                if id_ not in settled:
                    self.settled(uuid.UUID(bytes=id_), event)
                    self.not_sent(uuid.UUID(bytes=id_), event)
                    closed += 1
            self._let_go_of_adopted()
        return closed

    async def replay(self, send: Send) -> int:
        """Send every event that waits, the oldest segment first; returns how many.

        Whatever `send` raises goes through; the events of that call and all later ones still wait. A replay beside a
        running one does nothing. Files are read in a thread, so that a slow disk does not hold the loop.
        """
        if self._replaying:
            return 0
        self._replaying = True
        self._flushed()
        sent = 0
        try:
            for segment in [one for one in self._segments.values() if one.waiting]:
                sent += await self._replay_segment(segment, send)
        finally:
            self._replaying = False
        return sent

    def close(self) -> None:
        """Let go, as dying would: what is left is for other processes."""
        self._seal()
        for segment in self._segments.values():
            segment.close()
        self._segments.clear()
        self._own_bytes = 0
        self._opened_in.clear()
        self._settled_in.clear()
        for owner in (self._owner, *self._adopted.values()):
            if any(self._folder.glob(f"*.{owner.name}{SUFFIX}")):
                owner.let_go()
            else:
                owner.forget()
        self._adopted.clear()
        self._owner = Owner(self._folder)

    # --- Writing ---

    def _write(self, kind: int, id_: Id, event: bytes, *, at_once: bool) -> Segment:
        written = record(kind, id_, event)
        if not self._has_room(len(written)):
            raise JournalFull(f"the journal holds its {self._max_bytes} bytes")
        try:
            segment = self._open_segment()
            segment.add(written)
            if at_once:
                segment.flush()
        except OSError as problem:
            raise self._disk_full(problem) from problem
        self._own_bytes += len(written)
        return segment

    def _flushed(self) -> bool:
        """Write what waits for the next write; whether that was possible."""
        try:
            if self._segment is not None:
                self._segment.flush()
        except OSError as problem:
            log.error("usage_not_journalled", error=str(self._disk_full(problem)))
            return False
        return True

    def _disk_full(self, problem: OSError) -> JournalFull:
        """Raises the problem itself where it is another one."""
        if problem.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise problem
        self._disk_full_until = time.monotonic() + DISK_FULL_SECONDS
        self._own_bytes = sum(segment.size for segment in self._segments.values())
        return JournalFull("the disk is full")

    def _has_room(self, length: int) -> bool:
        """Near the bound, what others wrote is measured at every record."""
        if self.size + length + RESERVE_BYTES <= self._max_bytes:
            return True
        self._measure()
        return self.size + length <= self._max_bytes

    def _measure(self) -> None:
        own = {path.name for path in self._segments}
        with os.scandir(self._folder) as files:
            self._others_bytes = sum(_size(file) for file in files if file.name not in own)
        self._others_until = time.monotonic() + OTHERS_SECONDS

    def _open_segment(self) -> Segment:
        if self._segment is not None and self._segment.size >= self._segment_bytes:
            self._seal()
        if self._segment is None:
            self._owner.take()
            path = self._folder / f"{time.time_ns():020d}.{self._owner.name}{SUFFIX}"
            self._segment = self._segments[path] = Segment.create(path)
        return self._segment

    def _seal(self) -> None:
        """The next record starts another segment."""
        self._flushed()
        sealed, self._segment = self._segment, None
        if sealed is not None:
            self._remove_if_done(sealed)

    # --- Letting go ---

    def _no_longer_open(self, id_: Id) -> None:
        segment = self._opened_in.pop(id_, None)
        if segment is not None:
            segment.open.pop(id_, None)
            self._remove_if_done(segment)

    def _keep_in(self, segment: Segment, id_: Id) -> None:
        """One segment has an attempt's event to wait for, the last that says it: heirs of heirs may find several."""
        before = self._settled_in.get(id_)
        self._settled_in[id_] = segment
        segment.events.add(id_)
        if before is not None and before is not segment:
            before.events.discard(id_)
            before.waiting.pop(id_, None)
            self._remove_if_done(before)

    def _remove_if_done(self, segment: Segment) -> None:
        """A segment that is written to stays, so that not every quiet request makes and removes a file."""
        if segment is self._segment or segment.open or segment.events:
            return
        if self._segments.pop(segment.path, None) is not None:
            segment.remove()
            self._own_bytes -= segment.size
            self._let_go_of_adopted()

    def _let_go_of_adopted(self) -> None:
        left = {path.name.removesuffix(SUFFIX).partition(".")[2] for path in self._segments}
        for name in self._adopted.keys() - left:
            if not any(self._folder.glob(f"*.{name}{SUFFIX}")):
                self._adopted.pop(name).forget()

    def _forget(self, segment: Segment, ids: set[Id]) -> None:
        for id_ in ids:
            segment.events.discard(id_)
            segment.waiting.pop(id_, None)
            self._settled_in.pop(id_, None)
        if segment is self._segment:
            self._seal()
        else:
            self._remove_if_done(segment)

    def _only_sent(self) -> Segment | None:
        return next((one for one in self._segments.values() if not one.open and not one.waiting), None)

    def _carry_over(self, segment: Segment) -> None:
        with contextlib.suppress(JournalFull):  # then it stays where it is
            for id_, event in list(segment.open.items()):
                new = self._write(OPENED, id_, event, at_once=True)
                new.open[id_] = event
                self._opened_in[id_] = new
                del segment.open[id_]
        self._remove_if_done(segment)

    # --- Taking over and replaying ---

    def _take_over(self, path: Path, records: list[Record]) -> None:
        keep_aside_damage(path)
        segment = Segment(path, os.open(path, os.O_RDONLY), size=path.stat().st_size)
        self._segments[path] = segment
        self._own_bytes += segment.size
        for kind, id_, event in records:
            if kind == SETTLED:
                self._keep_in(segment, id_)
                segment.waiting[id_] = len(event)
        self._remove_if_done(segment)

    async def _replay_segment(self, segment: Segment, send: Send) -> int:
        sent = offset = 0
        while segment.waiting:
            records, offset = await asyncio.to_thread(some_records, segment.path, offset)
            if not records:
                break
            wanted = [
                (id_, event) for kind, id_, event in records if kind == SETTLED and id_ in segment.waiting
            ]
            await send([event for _, event in wanted])
            for id_, _ in wanted:
                segment.waiting.pop(id_, None)
            segment.replayed_at = time.monotonic()
            sent += len(wanted)
        return sent


def _size(file: os.DirEntry[str]) -> int:
    """0 for one that another process has just removed."""
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def ids_of(attempt_ids: Iterable[uuid.UUID]) -> bytes:
    """As `Journal.acknowledged` takes them."""
    return b"".join(attempt_id.bytes for attempt_id in attempt_ids)
