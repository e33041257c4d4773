"""Results of a provider's batch on their way home: cut into lines, told in our words, entered in the ledger, stored.

All of it may be done again: an item keeps its first result, and what it used has an id that follows from its place in
the batch, under which the ledger counts it once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import msgspec
import structlog

from gateway.batch_states import ItemState
from gateway.batches import lines
from gateway.batches.answer import in_batch
from gateway.batches.native_ledger import NativeLedger
from gateway.batches.native_parcel import number_of, request_id_of
from gateway.batches.native_rows import PAGE_BYTES, PAGE_ITEMS, NativeRows, Result
from gateway.batches.store import Row
from gateway.directory.catalog import Target
from gateway.engine.passages.relayed import OUR_CREDENTIALS, OURS
from gateway.engine.provider_error import ProviderError
from gateway.errors import GatewayError, InternalError
from gateway.protocol.anthropic import errors as wire_errors
from gateway.protocol.anthropic.relay import read_message

log = structlog.get_logger(__name__)

LARGEST_LINE = 64 << 20
SHORTEST_SECRET = 8  # bytes; a shorter one might stand in any word

UNREADABLE = "The provider sent an answer that cannot be read."
MISSING = "The provider brought no result for this request."


class LineTooLong(Exception):
    """No result is so large."""


class _TheirResult(msgspec.Struct):
    type: str
    message: msgspec.Raw = msgspec.Raw()
    error: msgspec.Raw = msgspec.Raw()


class _TheirLine(msgspec.Struct):
    custom_id: str
    result: _TheirResult


class Tally(msgspec.Struct):
    """What has come: lines of ours, and others."""

    ours: int = 0
    others: int = 0

    @property
    def all(self) -> int:
        return self.ours + self.others


_line = msgspec.json.Decoder(_TheirLine)


async def pages(pieces: AsyncIterator[bytes]) -> AsyncIterator[list[bytes]]:
    """The lines, some at a time. Raises `LineTooLong`, and whatever `pieces` does."""
    rest = bytearray()
    page: list[bytes] = []
    size = 0
    async for piece in pieces:
        rest += piece
        if b"\n" not in piece:
            if len(rest) > LARGEST_LINE:
                raise LineTooLong
            continue
        *whole, last = bytes(rest).split(b"\n")
        rest = bytearray(last)
        for line in whole:
            page.append(line)
            size += len(line)
            if len(page) >= PAGE_ITEMS or size >= PAGE_BYTES:
                yield page
                page, size = [], 0
    yield [*page, bytes(rest)]


class Homecoming:
    """Of one batch that has ended at its provider."""

    def __init__(self, batch: Row, target: Target, rows: NativeRows, ledger: NativeLedger) -> None:
        self._batch = batch
        self._target = target
        self._rows = rows
        self._ledger = ledger
        self.tally = Tally()

    async def bring(self, pieces: AsyncIterator[bytes]) -> None:
        """Store all that comes; `tally` says what that was. Raises `LineTooLong`, and whatever `pieces` does."""
        self.tally = Tally()
        async for page in pages(pieces):
            await self._bring_some(self._read(page))

    async def close(self) -> None:
        """The provider has nothing more: what has no result is told so."""
        after = -1
        while left := await self._rows.left(self._batch["id"], after):
            after = left[-1]["number"]
            await self._rows.store(
                self._batch["id"],
                [self._errored(row["number"], row["custom_id"], InternalError(MISSING)) for row in left],
            )
            log.error("batch_results_missing", batch_id=self._batch["id"], items=len(left))

    def _read(self, page: Sequence[bytes]) -> dict[int, _TheirResult]:
        """By the numbers of our items; of two results of one item the first."""
        found: dict[int, _TheirResult] = {}
        for raw in filter(bytes.strip, page):
            number = None
            try:
                line = _line.decode(raw)
                number = number_of(line.custom_id, self._batch["id"])
            except (
                msgspec.DecodeError,
                msgspec.ValidationError,
                UnicodeDecodeError,
                RecursionError,
            ) as problem:
                log.error("batch_result_unreadable", batch_id=self._batch["id"], why=str(problem))
            if number is None:
                self.tally.others += 1
            else:
                self.tally.ours += 1
                found.setdefault(number, line.result)
        return found

    async def _bring_some(self, found: dict[int, _TheirResult]) -> None:
        batch_id = self._batch["id"]
        names = self._batch["model_names"]
        items = await self._rows.forwarded(batch_id, list(found), whole=len(names) != 1) if found else {}
        results = [self._result(number, row, found[number]) for number, row in items.items()]
        await self._ledger.record()
        await self._rows.store(batch_id, results)

    def _result(self, number: int, row: Row, told: _TheirResult) -> Result:
        custom_id = row["custom_id"]
        if told.type == "succeeded":
            return self._succeeded(number, row, bytes(told.message))
        if told.type == "canceled":
            return Result(number, ItemState.CANCELED, lines.canceled(custom_id))
        if told.type == "expired":
            return Result(number, ItemState.EXPIRED, lines.expired(custom_id))
        return self._errored(number, custom_id, _error(bytes(told.error), self._target))

    def _succeeded(self, number: int, row: Row, message: bytes) -> Result:
        read = read_message(message)
        try:
            told = None if read is None else in_batch(message)
        except GatewayError:
            told = None
        if read is None or told is None:
            log.error("batch_result_unreadable", batch_id=self._batch["id"], why="not a message")
            return self._errored(number, row["custom_id"], InternalError(UNREADABLE))
        self._ledger.used(number, row["params"], read, message)
        return Result(number, ItemState.SUCCEEDED, lines.succeeded(row["custom_id"], told))

    def _errored(self, number: int, custom_id: str, error: GatewayError) -> Result:
        request_id = request_id_of(self._batch["id"], number)
        return Result(number, ItemState.ERRORED, lines.errored(custom_id, error, request_id))


def _error(raw: bytes, target: Target) -> GatewayError:
    """The provider's own words for the caller's mistakes, ours for the operator's."""
    key = target.api_key.encode()
    body = raw.replace(key, b"[redacted]") if len(key) >= SHORTEST_SECRET else raw
    detail = wire_errors.read(body)
    if detail is None:
        return InternalError(UNREADABLE)
    status = wire_errors.STATUS_OF_TYPE.get(detail.type, 500)
    if status in OURS:
        return InternalError(OUR_CREDENTIALS)
    return ProviderError(status, body, detail.type, detail.message, {}, dialect="anthropic")
