"""A batch that a provider carries whole, one look at a time. Any look may be the last one of this process, and any
other process may do it again:

    not sent          pack it and send it; what its provider does not take at all is emulated
    perhaps sent      whoever sent it did not hear what became of it: look among the provider's batches first
    with its provider ask how it is, cancel it where that is wanted, bring its results home once it has ended
"""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Awaitable

import structlog

from gateway.batch_states import ItemState
from gateway.batches import passage
from gateway.batches.native_ledger import CannotRecord, NativeLedger
from gateway.batches.native_parcel import Packer, parcel_in
from gateway.batches.native_provider import NativeProvider, Refused, TheirBatch
from gateway.batches.native_results import Homecoming, LineTooLong
from gateway.batches.native_rows import CANCELING_SECONDS, NativeRows
from gateway.batches.owners import Owners
from gateway.batches.spooled_file import SpoolFailed
from gateway.batches.store import Row
from gateway.directory.catalog import Target
from gateway.directory.store import StoreUnavailable
from gateway.engine.plane import Plane
from gateway.upstreams.client import Kind, UpstreamFailure

log = structlog.get_logger(__name__)

AT_ONCE, SOON_SECONDS = 0.0, 2.0
SHORTEST_SECONDS, LONGEST_SECONDS = 5.0, 60.0
BROKEN_SECONDS = 60.0  # after a fault of ours

# A batch that was sent and not heard of is found among its provider's within this time, or it is not there.
APPEARS_SECONDS = 60.0
CLOCKS_APART = datetime.timedelta(seconds=60)
MOST_PAGES = 20
UNACCEPTED_SECONDS = 3_600.0  # a provider that fails to take it for so long is asked item by item

# After a batch's end here its provider has so long to end it too; then it is told to, and then not waited for.
OVERDUE_SECONDS, GIVEN_UP_SECONDS = 600.0, 3_600.0
LOST_SECONDS = 600.0  # one that was sent less long ago may not be known everywhere at the provider yet

# Statuses after which nothing was accepted: never will be, or not for now. After any other nobody knows.
REFUSED = frozenset({400, 401, 402, 403, 404, 405, 411, 413, 415, 422})
NOT_TAKEN = frozenset({429, 503, 529})

READS = 3  # of results that are fewer than the provider says
READ_AGAIN_SECONDS = 2.0


class Courier:
    """Of one runner. `emulated` counts batches that it gave to the engine."""

    def __init__(self, plane: Plane, rows: NativeRows) -> None:
        self._plane = plane
        self._rows = rows
        self._owners = Owners(plane.directory)
        self.emulated = 0

    async def look_at(self, batch: Row) -> float:
        """Do what can be done now; seconds until the next look. Raises `StoreUnavailable`."""
        seconds = await self._seconds(batch)
        return min(seconds, CANCELING_SECONDS) if batch["status"] == "canceling" else seconds

    async def _seconds(self, batch: Row) -> float:
        try:
            return await self._step(batch)
        except StoreUnavailable:
            raise
        except (Refused, UpstreamFailure) as problem:
            _warn("native_batch_waits", batch, str(problem))
            wanted = problem.seconds if isinstance(problem, Refused) else None
            return min(max(wanted or 0.0, _patience(batch["created_at"], batch)), LONGEST_SECONDS)
        except (CannotRecord, SpoolFailed, LineTooLong) as problem:
            _warn("native_batch_waits", batch, f"{type(problem).__name__}: {problem}")
            return SHORTEST_SECONDS
        except Exception:
            log.exception("native_batch_failed", batch_id=batch["id"], provider=batch["provider"])
            return BROKEN_SECONDS

    async def _step(self, batch: Row) -> float:
        if batch["upstream_id"]:
            return await self._follow(batch)
        if batch["forwarded_at"] is not None:
            return await self._find(batch)
        if (state := _over(batch)) is not None:
            await self._rows.end(batch["id"], state)
            return AT_ONCE
        return await self._forward(batch)

    # --- Not sent ---

    async def _forward(self, batch: Row) -> float:
        owner = await self._owners.of(batch)
        if owner is None:  # its key or workspace is gone, and it is about to be cancelled; or it is suspended
            return LONGEST_SECONDS
        catalog = self._plane.directory.catalog
        target = passage.decide(batch, catalog, owner)
        if target is None:
            return await self._emulate(batch, "its models lead elsewhere by now, or a budget holds")
        signers = self._plane.signers if catalog.several_signers else None
        with parcel_in(self._plane.configuration.data_dir / "batches") as parcel:
            await Packer(batch, owner, catalog, target, self._rows, signers).pack(parcel)
            if not parcel.count:
                return AT_ONCE
            begun = await self._rows.begin(
                batch["id"], parcel.count, provider=target.provider, key=target.key_id
            )
            if not begun:
                return SOON_SECONDS
            provider = self._provider(target, batch)
            sent = provider.create(parcel.read(), parcel.length, query=batch["query"], key=batch["id"])
            return await self._accepted(batch, sent)

    async def _accepted(self, batch: Row, sent: Awaitable[str]) -> float:
        """Hear what the provider says to it; where that is not known, `forwarded_at` stays."""
        try:
            upstream_id = await sent
        except Refused as refusal:
            if refusal.status in REFUSED:
                return await self._emulate(batch, str(refusal))
            if refusal.status in NOT_TAKEN:
                await self._rows.not_sent(batch["id"])
            raise
        except UpstreamFailure as failure:
            if failure.kind is Kind.CONNECT:
                await self._rows.not_sent(batch["id"])
            raise
        return await self._adopt(batch, upstream_id)

    async def _adopt(self, batch: Row, upstream_id: str) -> float:
        await self._rows.accepted(batch["id"], upstream_id)
        log.info("native_batch_accepted", batch_id=batch["id"], upstream_id=upstream_id)
        return SHORTEST_SECONDS

    async def _emulate(self, batch: Row, why: str) -> float:
        _warn("native_batch_emulated", batch, why)
        await self._rows.emulate(batch["id"])
        self.emulated += 1
        return AT_ONCE

    # --- Perhaps sent ---

    async def _find(self, batch: Row) -> float:
        if _overdue(batch) > 0:  # whatever became of it, nobody waits for it any more
            return await self._give_up(batch)
        targets = await self._targets(batch)
        found = await self._found(batch, self._provider(targets[0], batch)) if targets else None
        if found is not None:
            return await self._adopt(batch, found)
        if _age(batch["forwarded_at"], batch) < APPEARS_SECONDS:
            return SHORTEST_SECONDS
        if _age(batch["created_at"], batch) > UNACCEPTED_SECONDS and batch["status"] == "in_progress":
            return await self._emulate(batch, "its provider has not taken it for long")
        await self._rows.not_sent(batch["id"])
        return AT_ONCE

    async def _found(self, batch: Row, provider: NativeProvider) -> str | None:
        """A batch of the provider that has come since, has as many requests and is no other one of ours; of several
        the oldest, since only what was sent last is not known."""
        try:
            found = await _as_large(provider, _left(batch), batch["forwarded_at"] - CLOCKS_APART)
        except Refused as refusal:
            if refusal.status not in REFUSED:
                raise
            return None  # it keeps no list
        known = await self._rows.known(batch["provider"], found)
        return next((one for one in reversed(found) if one not in known), None)

    # --- With its provider ---

    async def _follow(self, batch: Row) -> float:
        told: TheirBatch | None = None
        for target in await self._targets(batch):
            try:
                told = await self._provider(target, batch).retrieve(batch["upstream_id"])
            except Refused as refusal:
                if refusal.status != 404:
                    return await self._unheard(batch, refusal)
            except UpstreamFailure as failure:
                return await self._unheard(batch, failure)
            else:
                return await self._heard(batch, target, told)
        return await self._lost(batch)

    async def _heard(self, batch: Row, target: Target, told: TheirBatch) -> float:
        provider = self._provider(target, batch)
        if told.processing_status == "ended":
            return await self._bring_home(batch, target, told)
        overdue = _overdue(batch)
        if overdue > GIVEN_UP_SECONDS:
            return await self._give_up(batch)
        stop = batch["status"] == "canceling" or overdue > OVERDUE_SECONDS
        if stop and told.processing_status == "in_progress":
            await provider.cancel(batch["upstream_id"])
        return _patience(batch["forwarded_at"], batch)

    async def _unheard(self, batch: Row, problem: Refused | UpstreamFailure) -> float:
        if _overdue(batch) > GIVEN_UP_SECONDS:
            return await self._give_up(batch)
        raise problem

    async def _give_up(self, batch: Row) -> float:
        """Its end is long past, and its provider brings nothing."""
        _warn("native_batch_given_up", batch, "its provider has not ended it")
        state = ItemState.CANCELED if batch["status"] == "canceling" else ItemState.EXPIRED
        await self._rows.end(batch["id"], state)
        return AT_ONCE

    async def _lost(self, batch: Row) -> float:
        """No key of its provider knows it."""
        if _age(batch["forwarded_at"], batch) < LOST_SECONDS:
            return SHORTEST_SECONDS
        if (state := _over(batch)) is not None:
            await self._rows.end(batch["id"], state)
            return AT_ONCE
        return await self._emulate(batch, "its provider does not know it any more")

    async def _bring_home(self, batch: Row, target: Target, told: TheirBatch) -> float:
        """Raises `Refused`, `UpstreamFailure`, `CannotRecord` and `LineTooLong` where it has to be tried again."""
        home = Homecoming(batch, target, self._rows, NativeLedger(batch, target, self._plane))
        try:
            await self._read(
                home, self._provider(target, batch), batch["upstream_id"], told.request_counts.total
            )
        except (Refused, UpstreamFailure, LineTooLong) as problem:
            if _overdue(batch) <= GIVEN_UP_SECONDS:
                raise
            _warn("native_batch_given_up", batch, str(problem))
        if home.tally.others and not home.tally.ours:
            return await self._emulate(batch, "what its provider has is somebody else's")
        await home.close()
        log.info("native_batch_ended", batch_id=batch["id"], results=home.tally.ours)
        return AT_ONCE

    async def _read(self, home: Homecoming, provider: NativeProvider, upstream_id: str, count: int) -> None:
        for read in range(READS):
            if read:
                await asyncio.sleep(READ_AGAIN_SECONDS)
            await home.bring(provider.results(upstream_id))
            if home.tally.all >= count:
                return

    async def _targets(self, batch: Row) -> list[Target]:
        """Its provider with each of its keys, first the one that the batch was sent with."""
        targets = await self._plane.directory.store.provider(batch["provider"])
        return sorted(targets, key=lambda target: target.key_id != batch["provider_key"])

    def _provider(self, target: Target, batch: Row) -> NativeProvider:
        relayed = tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in batch["relayed"])
        return NativeProvider(self._plane.client, target, relayed)


async def _as_large(provider: NativeProvider, count: int, since: datetime.datetime) -> list[str]:
    """The provider's batches of so many requests, the newest first."""
    found: list[str] = []
    after = ""
    for _ in range(MOST_PAGES):
        page = await provider.listed(after)
        recent = [one for one in page.data if one.began >= since]
        found += [one.id for one in recent if one.request_counts.total == count]
        if not page.has_more or not recent or len(recent) < len(page.data):
            break
        after = page.data[-1].id
    return found


def _left(batch: Row) -> int:
    """Items without a result."""
    return int(batch["total"] - batch["succeeded"] - batch["errored"] - batch["canceled"] - batch["expired"])


def _over(batch: Row) -> ItemState | None:
    """What becomes of items that nobody has sent, where nobody shall send them any more."""
    if batch["status"] == "canceling":
        return ItemState.CANCELED
    return ItemState.EXPIRED if _overdue(batch) >= 0 else None


def _age(since: datetime.datetime, batch: Row) -> float:
    """Seconds by the database's clock, when the batch was leased."""
    return float((batch["now"] - since).total_seconds())


def _overdue(batch: Row) -> float:
    """Seconds since it should have ended; less than 0 before that."""
    return _age(batch["expires_at"], batch)


def _patience(since: datetime.datetime, batch: Row) -> float:
    """Longer and longer: a tenth of what it takes already."""
    return min(max(_age(since, batch) / 10, SHORTEST_SECONDS), LONGEST_SECONDS)


def _warn(event: str, batch: Row, why: str) -> None:
    log.warning(event, batch_id=batch["id"], provider=batch["provider"], why=why)
