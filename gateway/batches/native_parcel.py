"""The body of a batch as its provider gets it: made from the rows, page by page, and laid down in a file.

Each item is what it would be if it were sent alone, `gateway.engine.passages.relayed` says what that is. What would be
refused at our own door has its result at once. The provider knows items by names of ours: a tenant's names are no
business of it, and nobody else's results can be taken for ours.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from gateway.batch_states import ItemState
from gateway.batches import lines
from gateway.batches.item_call import Owner, call_of
from gateway.batches.native_rows import NativeRows, Result
from gateway.batches.spooled_file import PIECE, SpooledFile
from gateway.batches.store import Row
from gateway.directory.catalog import Catalog, Target
from gateway.engine.signers import Signers
from gateway.errors import GatewayError
from gateway.ids import derived_id

_HEAD, _TAIL = b'{"requests":[', b"]}"


class Parcel:
    """`count` requests in `length` bytes."""

    def __init__(self, folder: Path) -> None:
        self.count = 0
        self._file = SpooledFile(folder)
        self._pending = bytearray(_HEAD)

    @property
    def length(self) -> int:
        return self._file.length

    async def add(self, name: str, params: bytes) -> None:
        if self.count:
            self._pending += b","
        self._pending += b'{"custom_id":"' + name.encode() + b'","params":' + params + b"}"
        self.count += 1
        if len(self._pending) >= PIECE:
            await self._flush()

    async def close(self) -> None:
        """Nothing more comes."""
        self._pending += _TAIL
        await self._flush()

    def read(self) -> AsyncIterator[bytes]:
        return self._file.read()

    def remove(self) -> None:
        self._file.close()

    async def _flush(self) -> None:
        pending, self._pending = self._pending, bytearray()
        await self._file.write(memoryview(pending))


@contextlib.contextmanager
def parcel_in(folder: Path) -> Iterator[Parcel]:
    """Raises `SpoolFailed` where the disk takes no more."""
    parcel = Parcel(folder)
    try:
        yield parcel
    finally:
        parcel.remove()


class Packer:
    """Packs one batch for `target`. `signers` where several providers sign thoughts."""

    def __init__(
        self,
        batch: Row,
        owner: Owner,
        catalog: Catalog,
        target: Target,
        rows: NativeRows,
        signers: Signers | None,
    ) -> None:
        self._batch = batch
        self._owner = owner
        self._catalog = catalog
        self._target = target
        self._rows = rows
        self._signers = signers

    async def pack(self, parcel: Parcel) -> None:
        """All items that have no result, each in the parcel or refused."""
        after = -1
        while page := await self._rows.waiting(self._batch["id"], after):
            refused = [result for row in page if (result := await self._add(row, parcel)) is not None]
            await self._rows.store(self._batch["id"], refused)
            after = page[-1]["number"]
        await parcel.close()

    async def _add(self, row: Row, parcel: Parcel) -> Result | None:
        number, request_id = row["number"], request_id_of(self._batch["id"], row["number"])
        try:
            params = await self._params(bytes(row["params"]), request_id)
        except GatewayError as error:
            line = lines.errored(row["custom_id"], error, request_id)
            return Result(number, ItemState.ERRORED, line)
        await parcel.add(name_of(self._batch["id"], number), params)
        return None

    async def _params(self, params: bytes, request_id: str) -> bytes:
        """Raises `GatewayError`."""
        call = call_of(params, self._batch, self._owner, self._catalog, request_id)
        target = _way(call.model.targets, self._target)
        passage = call.surface.passage(call, target)
        if self._signers is not None:
            foreign = await self._signers.foreign(self._batch["organization_id"], target, passage.body)
            passage = call.surface.passage(call, target, foreign) if foreign else passage
        return passage.body


def _way(targets: tuple[Target, ...], chosen: Target) -> Target:
    """How the chosen provider knows a model, with the chosen key where it can be."""
    ways = [one for one in targets if one.provider == chosen.provider]
    return next((one for one in ways if one.key_id == chosen.key_id), ways[0])


def request_id_of(batch_id: str, number: int) -> str:
    """The id that an item's request has whoever asks for it."""
    return derived_id("req", batch_id, str(number))


def name_of(batch_id: str, number: int) -> str:
    """What the provider knows an item by."""
    return f"{batch_id}-{number}"


def number_of(name: str, batch_id: str) -> int | None:
    """None for what is none of this batch's items."""
    owner, _, number = name.rpartition("-")
    return (
        int(number)
        if owner == batch_id and number.isascii() and number.isdigit() and len(number) < 9
        else None
    )
