"""Segments of the journal: files of records, `<nanoseconds>.<owner>.journal`, so that their names sort by age.

A record is a header (length, CRC-32 and kind, big endian), the attempt's id and its event.
"""

from __future__ import annotations

import errno
import os
import struct
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import structlog

SUFFIX, DAMAGED = ".journal", ".damaged"

BATCH_BYTES = 128 << 10  # read at once

OPENED, SETTLED = 1, 2

Id = bytes
Record = tuple[int, Id, bytes]  # kind, attempt, event

ID_BYTES = 16
_HEADER = struct.Struct(">IIB")

log = structlog.get_logger(__name__)


class Segment:
    """One file: `open` attempts by their events, settled `events` that nobody acknowledged yet, and of these what
    is `waiting` to be sent, by their lengths."""

    def __init__(self, path: Path, descriptor: int, size: int = 0) -> None:
        self.path = path
        self.descriptor = descriptor
        self.size = size
        self.began = self.used_at = self.replayed_at = time.monotonic()
        self.open: dict[Id, bytes] = {}
        self.events: set[Id] = set()
        self.waiting: dict[Id, int] = {}
        self.replays = 0
        self.dirty = False
        self._late: list[bytes] = []

    @classmethod
    def create(cls, path: Path) -> Segment:
        return cls(path, os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600))

    def add(self, record: bytes) -> None:
        """It is written with the next `flush`."""
        self._late.append(record)
        self.size += len(record)

    def flush(self) -> None:
        """All or nothing: half a record would hide those written after it. What cannot be written is given up."""
        if not self._late:
            return
        records = b"".join(self._late)
        self._late.clear()
        written = 0
        try:
            written = os.write(self.descriptor, records)
            if written < len(records):
                raise OSError(errno.ENOSPC, "a record was written in part")
        except OSError:
            self.size -= len(records)
            if written:
                os.ftruncate(self.descriptor, self.size)
            raise
        self.dirty = True

    def close(self) -> None:
        os.close(self.descriptor)

    def remove(self) -> None:
        self.close()
        self.path.unlink(missing_ok=True)


def record(kind: int, id_: Id, event: bytes) -> bytes:
    payload = id_ + event
    return _HEADER.pack(len(payload), _checksum(payload), kind) + payload


def _checksum(payload: bytes) -> int:
    """Never 0: a header of zeros, as a loss of power leaves them, is no record."""
    return zlib.crc32(payload, len(payload) + 1)


def all_records(path: Path) -> list[Record]:
    with path.open("rb") as file:
        return list(_records(file))


def some_records(path: Path, offset: int) -> tuple[list[Record], int]:
    """Some whole records from `offset` on, and where they end; none at the end or where no record is."""
    found: list[Record] = []
    with path.open("rb") as file:
        file.seek(offset)
        for record in _records(file):
            found.append(record)
            if sum(map(_length, found)) >= BATCH_BYTES:
                break
    return found, offset + sum(map(_length, found))


def _records(file: BinaryIO) -> Iterator[Record]:
    """Kind, attempt id and event of each whole record from where the file stands."""
    size = os.fstat(file.fileno()).st_size
    while len(header := file.read(_HEADER.size)) == _HEADER.size:
        length, checksum, kind = _HEADER.unpack(header)
        if length < ID_BYTES or length > size - file.tell():
            return
        payload = file.read(length)
        if _checksum(payload) != checksum:
            return
        yield kind, payload[:ID_BYTES], payload[ID_BYTES:]


def _length(record: Record) -> int:
    return _HEADER.size + ID_BYTES + len(record[2])


def keep_aside_damage(path: Path) -> None:
    """Bytes that are no record are kept aside, never dropped: a crash tore them, or a loss of power."""
    with path.open("rb+") as file:
        whole = sum(map(_length, _records(file)))
        file.seek(whole)
        rest = file.read()
        if rest:
            path.with_suffix(DAMAGED).write_bytes(rest)
            file.truncate(whole)
    if rest:
        log.error("journal_segment_damaged", kept=path.with_suffix(DAMAGED).name, bytes=len(rest))
