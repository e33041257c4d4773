"""Audits: what was spent of a budget, found out from the ledger and what is still on its way there, to the last event.

A counter in Valkey says what was spent at any moment. It begins with an audit, where Valkey has none, is audited once
more some seconds later, since what was under way when its limit was made does not know of it, and again each minute
while it is used, so that whatever falsifies it does not last.

    1. From now on the counter notes each settlement apart. What was settled before is in the usage stream up to its
       last entry, or in the ledger.
    2. Read the stream up to there. Take a snapshot of the ledger: its sum, less those attempts that the stream has,
       and less those that were noted meanwhile.
    3. Sum, stream and notes are what was spent, whatever the drain did in between.
"""

from __future__ import annotations

import asyncio
import datetime
import secrets
import time
import uuid
from collections import OrderedDict
from decimal import Decimal
from typing import Any

import hiredis
import structlog

from gateway import metrics
from gateway.budgets import Counter, nanodollars
from gateway.directory import spending
from gateway.directory.directory import Directory
from gateway.directory.store import StoreUnavailable
from gateway.ids import attempt_time
from gateway.limits.limiter import AUDIT_BEGIN, AUDIT_END, Limiter
from gateway.limits.local import Share
from gateway.metering import event as ledger
from gateway.metering.event import UsageEvent
from gateway.price import Rates, charges
from gateway.scopes import open_key
from gateway.shards import shard_of, usage_stream
from gateway.valkey import ValkeyUnavailable

log = structlog.get_logger(__name__)

ABANDONED_MS = 5_000
GOOD_ENOUGH_MS = 5_000
EVERY_SECONDS = 60.0
ONCE_MORE_SECONDS = 6.0  # after the first: longer than an audit is good enough
KNOWN_COUNTERS = 10_000
PAGE = 1_000
MOST_STREAMED = 50_000  # events; while drains are so far behind, counters that are known go on without audits
LOOK_AGAIN_SECONDS = 0.03  # somebody else's audit is under way

_NOTED = b"b:"

Unledgered = dict[uuid.UUID, UsageEvent]


class Auditor:
    """All audits of this process."""

    def __init__(self, limiter: Limiter, directory: Directory) -> None:
        self._limiter = limiter
        self._directory = directory
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._audited_at: OrderedDict[str, float] = OrderedDict()

    async def find_out(self, counter: Counter, *, alone: bool) -> None:
        """Make an unknown counter known; `alone` while Valkey is away. Raises `StoreUnavailable`."""
        if alone:
            await self._share(counter)
        else:
            await asyncio.shield(self._audit_once(counter))

    def look_after(self, counters: tuple[Counter, ...]) -> None:
        """Audit what was not audited for a while, behind the request's back."""
        now = time.monotonic()
        for counter in counters:
            if now - self._audited_at.get(counter.key, 0.0) > EVERY_SECONDS:
                self._audit_once(counter, known=True).add_done_callback(_told)

    def doubt_all(self) -> None:
        """Something may have been spent that no counter knows of."""
        self._audited_at.clear()

    def _audit_once(self, counter: Counter, *, known: bool = False) -> asyncio.Task[None]:
        task = self._under_way.get(counter.key)
        if task is None:
            self._note(counter)
            task = self._under_way[counter.key] = asyncio.create_task(self._audit(counter, known=known))
            task.add_done_callback(lambda _: self._under_way.pop(counter.key, None))
        return task

    def _note(self, counter: Counter) -> None:
        early = 0.0 if counter.key in self._audited_at else max(0.0, EVERY_SECONDS - ONCE_MORE_SECONDS)
        self._audited_at[counter.key] = time.monotonic() - early
        self._audited_at.move_to_end(counter.key)
        if len(self._audited_at) > KNOWN_COUNTERS:
            self._audited_at.popitem(last=False)

    async def _audit(self, counter: Counter, *, known: bool) -> None:
        """Whatever comes in between (Valkey away, another's audit), whoever needs the counter asks again."""
        token = secrets.token_hex(8)
        stream = usage_stream(shard_of(counter.organization_id))
        try:
            if known and await self._limiter.valkey.command("XLEN", stream) > MOST_STREAMED:
                return
            begun, last = await self._limiter.valkey.call(
                AUDIT_BEGIN, [counter.key, stream], [token, ABANDONED_MS, GOOD_ENOUGH_MS, _goes_at(counter)]
            )
            if begun != 1:
                await asyncio.sleep(LOOK_AGAIN_SECONDS if begun == 0 else 0)
                return
            found = await self._found(counter, await self._streamed(counter, stream, last))
            ended, off, leaked = await self._limiter.valkey.call(
                AUDIT_END, [counter.key, open_key(counter.organization_id)], [token, found]
            )
        except (ValkeyUnavailable, hiredis.ReplyError) as problem:
            log.info("budget_not_audited", counter=counter.key, why=str(problem))
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
            return
        metrics.reservations_leaked(leaked)
        if ended and off:
            log.info("budget_corrected", counter=counter.key, nanodollars=off)

    async def _streamed(self, counter: Counter, stream: str, last: bytes) -> Unledgered:
        """The counter's organization's events in the stream up to this entry; of one attempt the last."""
        found: Unledgered = {}
        start = "-"
        while True:
            page = await self._limiter.valkey.command("XRANGE", stream, start, last, "COUNT", PAGE)
            for _, fields in page:
                for usage in _decoded(fields):
                    if usage.organization_id == counter.organization_id:
                        found[usage.attempt_id] = usage
            if len(page) < PAGE:
                return found
            start = "(" + page[-1][0].decode()

    async def _found(self, counter: Counter, streamed: Unledgered) -> int:
        """Nanodollars in ledger and stream, less what the counter notes by itself."""
        async with self._directory.store.snapshot() as connection:
            total = await spending.spent(connection, counter)
            noted = await self._noted(counter)
            keys: set[str] = set()
            if counter.budget.scope == "user":
                organization, user = counter.organization_id, counter.budget.scope_id
                keys = await spending.keys_of(connection, organization, user)
            attempts = {id_: attempt_time(id_).date() for id_ in (*streamed, *noted)}
            total -= await spending.spent_by(connection, counter, attempts)
            coming = [one for one in streamed.values() if one.attempt_id not in noted]
            versions = {one.price_version for one in coming if one.price_version is not None}
            prices = await spending.rates(connection, versions)
        return nanodollars(total + sum(_cost(one, prices) for one in coming if _counts(one, counter, keys)))

    async def _noted(self, counter: Counter) -> set[uuid.UUID]:
        """Attempts that were settled since the audit began."""
        fields = await self._limiter.valkey.command("HKEYS", counter.key)
        names = (field[len(_NOTED) :].decode() for field in fields if field.startswith(_NOTED))
        return {uuid.UUID(name) for name in names if len(name) == 36}

    async def _share(self, counter: Counter) -> None:
        """While Valkey is away: of what the ledger says is left this process's part, less what it has under way."""
        async with self._directory.store.snapshot() as connection:
            spent = nanodollars(await spending.spent(connection, counter))
        left = max(0, counter.budget.amount - spent)
        part = left // self._limiter.processes - self._limiter.reserved_under(counter.key)
        self._limiter.local.shares.setdefault(counter.key, Share(max(0, part)))


def _goes_at(counter: Counter) -> int:
    """A day after its window, when the last attempt of it is over."""
    return counter.end_ms + 86_400_000 if counter.end_ms else 0


def _decoded(fields: list[bytes]) -> list[UsageEvent]:
    """None where an entry is not an event; the drain says so."""
    try:
        return [ledger.decode(fields[fields.index(ledger.FIELD.encode()) + 1])]
    except Exception:
        return []


def _counts(usage: UsageEvent, counter: Counter, keys: set[str]) -> bool:
    at = attempt_time(usage.attempt_id)
    if not counter.start_ms <= _ms(at) or (counter.end_ms and _ms(at) >= counter.end_ms):
        return False
    scope, scope_id = counter.budget.scope, counter.budget.scope_id
    if scope == "workspace":
        return usage.workspace_id == scope_id
    if scope == "user":
        return usage.api_key_id in keys
    return scope == "organization" or usage.api_key_id == scope_id


def _cost(usage: UsageEvent, prices: dict[int, Rates]) -> Decimal:
    """US dollars, as the drain will charge it."""
    rates = None if usage.price_version is None else prices.get(usage.price_version)
    return charges(rates, usage.usage, usage.service_tier, usage.web_search_requests).total


def _ms(at: datetime.datetime) -> int:
    return round(at.timestamp() * 1000)


def _told(task: asyncio.Task[Any]) -> None:
    """Postgres is away, and says so itself: the counter goes on as it is."""
    if not task.cancelled() and isinstance(task.exception(), StoreUnavailable):
        log.info("budget_not_audited", why=str(task.exception()))
