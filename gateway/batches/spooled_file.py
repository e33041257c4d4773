"""A temporary file for what is too large for memory and has no place yet."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO

PIECE = 512 * 1024  # bytes that are written or read at once, in a thread
# Left for the journal, which stands on the same disk and which nothing is served without.
DISK_RESERVE = 256 * 1024 * 1024


class SpoolFailed(Exception):
    """The disk takes no more, or nothing at all."""


class SpooledFile:
    """It has no name, so that nothing is left of it when the process dies. Its methods raise `SpoolFailed`."""

    def __init__(self, folder: Path) -> None:
        self.length = 0
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file: IO[bytes] = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - see `close`
        except OSError as problem:
            raise SpoolFailed(str(problem)) from problem

    def close(self) -> None:
        self._file.close()

    async def write(self, data: memoryview) -> None:
        await asyncio.to_thread(self._write, data)
        self.length += data.nbytes

    async def read(self) -> AsyncIterator[bytes]:
        """All of it, in pieces."""
        self._file.seek(0)
        while piece := await asyncio.to_thread(self._file.read, PIECE):
            yield piece

    def _write(self, rest: memoryview) -> None:
        try:
            disk = os.fstatvfs(self._file.fileno())
            if disk.f_bavail * disk.f_frsize < DISK_RESERVE + rest.nbytes:
                raise SpoolFailed("too little room is left on the disk")
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as problem:
            raise SpoolFailed(str(problem)) from problem
