"""The disk spool: usage events wait here while Valkey is away.

A folder of segments, `<nanoseconds>.<owner>.spool`: records of a header (length and CRC-32, big endian) and a
payload. Each process is an owner that writes segments of its own and holds a lock on `<owner>.lock` for as
long as it lives, so that others can tell which segments are left by the dead, and adopt them. An appended
record survives the death of its process (it is in the page cache), not that of the machine. A record is
removed only after it was sent; a crash between the two makes it go out twice, which the ledger does not mind.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import errno
import fcntl
import os
import secrets
import struct
import time
import zlib
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import structlog

SEGMENT_BYTES = 4 << 20
BATCH_BYTES = 128 << 10

# `full` is told while there is still room, so that requests under way can be written down.
RESERVE_BYTES = 1 << 20

# How long the size of what other processes wrote may be taken from memory.
OTHERS_SECONDS = 0.1
DISK_FULL_SECONDS = 1.0

SEGMENT, LOCK, DAMAGED = ".spool", ".lock", ".damaged"

_HEADER = struct.Struct(">II")

Send = Callable[[list[bytes]], Awaitable[None]]

log = structlog.get_logger(__name__)


class SpoolFull(Exception):
    """The spool is at its bound, or the disk is full; the record was not written."""


class Spool:
    """One process's hold on the folder. Not for use by several threads."""

    def __init__(self, folder: Path, *, max_bytes: int, segment_bytes: int = SEGMENT_BYTES) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._max_bytes = max_bytes
        self._segment_bytes = segment_bytes
        self._owner = _new_owner()
        self._lock: int | None = None
        self._segment: _Segment | None = None
        self._others_bytes = 0
        self._others_until = 0.0
        self._disk_full_until = 0.0
        self._replaying = False

    @property
    def size(self) -> int:
        """Bytes in the folder, of all processes."""
        if time.monotonic() >= self._others_until:
            self._measure()
        return self._others_bytes + (self._segment.size if self._segment else 0)

    @property
    def full(self) -> bool:
        """Time to refuse new work."""
        reserve = min(RESERVE_BYTES, self._max_bytes // 10)
        return self.size + reserve >= self._max_bytes or time.monotonic() < self._disk_full_until

    def append(self, payload: bytes) -> None:
        """Write one record. Raises `SpoolFull`; older records are never given up for it."""
        record = _HEADER.pack(len(payload), _checksum(payload)) + payload
        if not self._has_room(len(record)):
            raise SpoolFull(f"the spool holds its {self._max_bytes} bytes")
        try:
            self._open_segment().write(record)
        except OSError as problem:
            if problem.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            self._disk_full_until = time.monotonic() + DISK_FULL_SECONDS
            raise SpoolFull("the disk is full") from problem

    async def replay(self, send: Send) -> int:
        """Send what is written, oldest segment first, and remove it; returns the number of records.

        Whatever `send` raises goes through; the records of that call and all later ones stay. A replay beside
        a running one does nothing. Files are read in a thread, so that a slow disk does not hold the loop.
        """
        if self._replaying:
            return 0
        self._replaying = True
        self._seal()
        sent = 0
        try:
            with _adopted(self._folder, self._owner) as owners:
                for path in await asyncio.to_thread(_segments, self._folder, owners):
                    sent += await _send_segment(path, send)
        finally:
            self._replaying = False
            self._others_until = 0.0
        return sent

    def close(self) -> None:
        """Let go, as dying would: what is left is for other processes."""
        self._seal()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
        self._owner = _new_owner()

    def _has_room(self, length: int) -> bool:
        """Near the bound, what others wrote is measured at every record."""
        if self.size + RESERVE_BYTES > self._max_bytes:
            self._measure()
        return self.size + length <= self._max_bytes

    def _measure(self) -> None:
        own = self._segment.path.name if self._segment else ""
        with os.scandir(self._folder) as files:
            self._others_bytes = sum(_size(file) for file in files if file.name != own)
        self._others_until = time.monotonic() + OTHERS_SECONDS

    def _open_segment(self) -> _Segment:
        if self._segment is not None and self._segment.size >= self._segment_bytes:
            self._seal()
        if self._segment is None:
            if self._lock is None:
                self._lock = _take_own_lock(self._folder, self._owner)
            self._segment = _Segment.create(self._folder / f"{time.time_ns():020d}.{self._owner}{SEGMENT}")
        return self._segment

    def _seal(self) -> None:
        """The next record starts another segment; this one may be replayed."""
        if self._segment is not None:
            os.close(self._segment.descriptor)
            self._segment = None
            self._others_until = 0.0


@dataclasses.dataclass
class _Segment:
    path: Path
    descriptor: int
    size: int = 0

    @classmethod
    def create(cls, path: Path) -> _Segment:
        return cls(path, os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600))

    def write(self, record: bytes) -> None:
        """All or nothing: half a record would hide those written after it."""
        written = os.write(self.descriptor, record)
        if written < len(record):
            os.ftruncate(self.descriptor, self.size)
            raise OSError(errno.ENOSPC, "a record was written in part")
        self.size += written


def _new_owner() -> str:
    return f"{os.getpid()}-{secrets.token_hex(8)}"


def _checksum(payload: bytes) -> int:
    """Never 0 for an empty payload: a header of zeros, as a loss of power leaves them, is no record."""
    return zlib.crc32(payload, len(payload) + 1)


def _size(file: os.DirEntry[str]) -> int:
    """0 for one that another process has just removed."""
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def _take_own_lock(folder: Path, owner: str) -> int:
    """Locked before it has its name, so that nobody ever finds it unlocked while we live."""
    unnamed = folder / f"{owner}.new"
    descriptor = os.open(unnamed, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    unnamed.rename(folder / f"{owner}{LOCK}")
    return descriptor


@contextlib.contextmanager
def _adopted(folder: Path, owner: str) -> Iterator[set[str]]:
    """`owner` and all owners that are dead; while this lasts, no other process adopts them."""
    with contextlib.ExitStack() as locks:
        dead = {name for name in _owners(folder) - {owner} if _lock_of_dead(folder, name, locks)}
        yield {owner, *dead}
        left = {_owner(path) for path in folder.glob(f"*{SEGMENT}")}
        for name in dead - left:
            (folder / f"{name}{LOCK}").unlink(missing_ok=True)


def _owners(folder: Path) -> set[str]:
    named = {path.name.removesuffix(LOCK) for path in folder.glob(f"*{LOCK}")}
    return named | {_owner(path) for path in folder.glob(f"*{SEGMENT}")}


def _owner(segment: Path) -> str:
    return segment.name.removesuffix(SEGMENT).partition(".")[2]


def _lock_of_dead(folder: Path, owner: str, locks: contextlib.ExitStack) -> bool:
    """Whether the owner is dead; its lock is then ours. One without a lock file can only be dead."""
    file = locks.enter_context((folder / f"{owner}{LOCK}").open("ab"))
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _segments(folder: Path, owners: set[str]) -> list[Path]:
    return sorted(path for path in folder.glob(f"*{SEGMENT}") if _owner(path) in owners)


async def _send_segment(path: Path, send: Send) -> int:
    sent = offset = 0
    while True:
        payloads, offset = await asyncio.to_thread(_read, path, offset)
        if not payloads:
            break
        await send(payloads)
        sent += len(payloads)
    await asyncio.to_thread(_remove, path, offset)
    return sent


def _read(path: Path, offset: int) -> tuple[list[bytes], int]:
    """Some whole records from `offset` on, and where they end; none at the end or where no record is."""
    payloads: list[bytes] = []
    length = 0
    with path.open("rb") as file:
        file.seek(offset)
        while length < BATCH_BYTES and (payload := _next_record(file)) is not None:
            payloads.append(payload)
            length += _HEADER.size + len(payload)
    return payloads, offset + length


def _next_record(file: BinaryIO) -> bytes | None:
    header = file.read(_HEADER.size)
    if len(header) < _HEADER.size:
        return None
    length, checksum = _HEADER.unpack(header)
    if length > os.fstat(file.fileno()).st_size - file.tell():
        return None
    payload = file.read(length)
    return payload if _checksum(payload) == checksum else None


def _remove(path: Path, sent: int) -> None:
    """Remove a segment of which `sent` bytes were sent.

    Bytes that are no record are kept aside, never dropped: a crash tore them, or a loss of power.
    """
    with path.open("rb") as file:
        file.seek(sent)
        rest = file.read()
    if rest:
        path.with_suffix(DAMAGED).write_bytes(rest)
        log.error("spool_segment_damaged", kept=path.with_suffix(DAMAGED).name, bytes=len(rest))
    path.unlink()
