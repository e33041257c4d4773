"""The items of a batch that is still coming, on disk as what COPY takes: a slow client must hold no transaction."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import LiteralString

from gateway.batches.spooled_file import PIECE, SpooledFile
from gateway.protocol.anthropic.batch_body import Item

COPY: LiteralString = (
    "COPY message_batch_item (batch_id, number, custom_id, params) FROM STDIN (FORMAT BINARY)"
)

# PostgreSQL's binary COPY: a head, then for each row the number of its fields and of each its length and bytes.
_HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_ROW = struct.Struct("!hi")
_NUMBER = struct.Struct("!iii")  # its length, the number, and the length of the custom id
_LENGTH = struct.Struct("!i")
_END = b"\xff\xff"


class Spool:
    """In a temporary file that only this process knows. Its methods raise `SpoolFailed`."""

    def __init__(self, folder: Path, batch_id: str) -> None:
        self._file = SpooledFile(folder)
        self._pending = bytearray(_HEAD)
        self._begin = _ROW.pack(4, len(batch_id)) + batch_id.encode()

    def close(self) -> None:
        self._file.close()

    async def add(self, item: Item) -> None:
        custom_id, params = item.custom_id.encode(), memoryview(item.params)
        self._pending += self._begin
        self._pending += _NUMBER.pack(4, item.number, len(custom_id))
        self._pending += custom_id
        self._pending += _LENGTH.pack(params.nbytes)
        if params.nbytes < PIECE:
            self._pending += params
        else:  # a large one is not copied
            await self._flush()
            await self._file.write(params)
        if len(self._pending) >= PIECE:
            await self._flush()

    async def read(self) -> AsyncIterator[bytes]:
        """All that was added, once, in pieces."""
        self._pending += _END
        await self._flush()
        async for piece in self._file.read():
            yield piece

    async def _flush(self) -> None:
        pending, self._pending = self._pending, bytearray()
        await self._file.write(memoryview(pending))
