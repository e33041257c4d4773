"""Admission and settlement: one atomic script each over all scopes and budgets of a request.

`admit` never fails: while Valkey is away this process grants its share of the limits on its own. `settle` returns
at once; whoever holds the event is told through the future whether Valkey has it. When Valkey is back it is told
first what was granted meanwhile, on the same connection as everything that follows; one that is there and not ready
(a cluster's node that just came back, a slot that is moving) is told again until it was heard.
"""

from __future__ import annotations

import asyncio
import functools
import secrets
import uuid
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import hiredis
import structlog

from gateway.budgets import Counter
from gateway.limiters import CONCURRENT, LIMITERS, Amounts
from gateway.limits.admission import Admission, BudgetRefusal, Refusal, ScopeState
from gateway.limits.local import LocalLimiter, Share, Taken
from gateway.limits.replicas import Replicas
from gateway.scopes import Pool, places_of
from gateway.shards import shard_of, usage_stream
from gateway.valkey import Argument, Script, Valkey, ValkeyUnavailable

log = structlog.get_logger(__name__)

LEASE_MS = 90_000
RENEWALS = 3  # within the time that a lease is given for
GUESS_WINDOW_MS = 60_000
TELL_AGAIN_SECONDS = 0.5
MOST_OWED = 10_000  # settlements that Valkey has not heard of; beyond that their leases end by themselves

SCRIPTS = ADMIT, SETTLE, CHARGE, RENEW, TAKE, RESTORE, GUESS, AUDIT_BEGIN, AUDIT_END = tuple(
    Script(Path(__file__).parent / "scripts" / f"{name}.lua")
    for name in (
        "admit",
        "settle",
        "charge",
        "renew",
        "take",
        "restore",
        "guess",
        "audit_begin",
        "audit_end",
    )
)


Settling = tuple[tuple[Argument, ...], tuple[Argument, ...]]  # keys and arguments of SETTLE


class Limiter:
    """All limits of this process. `valkey` knows `SCRIPTS`; `replicas` says how many processes share them.

    Where this process dies, what it had under way holds its places for `lease_ms` at most.
    """

    def __init__(self, valkey: Valkey, replicas: Replicas | None = None, *, lease_ms: int = LEASE_MS) -> None:
        self.valkey = valkey
        self.local = LocalLimiter()
        self._replicas = replicas
        self._lease_ms = lease_ms
        self._open: dict[str, Admission] = {}
        self._owed: deque[Settling] = deque(maxlen=MOST_OWED)
        self._renewing: asyncio.Task[None] | None = None
        self._telling_again: asyncio.TimerHandle | None = None
        self._guesses: dict[str, int] = {}

    def start(self) -> None:
        self._renewing = asyncio.create_task(self._renew())

    def stop(self) -> None:
        for waiting in (self._renewing, self._telling_again):
            if waiting is not None:
                waiting.cancel()

    async def admit(
        self,
        pool: Pool,
        lease: str,
        amounts: Amounts,
        *,
        counters: tuple[Counter, ...] = (),
        cost: int = 0,
        strict: bool = False,
    ) -> Admission:
        """Reserve a request under all scopes of the pool and all counters, or under none.

        Then `refusal` says why, or `unknown` which counter has to be audited first. `cost` is in nanodollars; `strict`
        refuses what no bucket could ever hold.
        """
        if self.valkey.available:
            if self._telling_again is not None:  # it may hear now, and must before anything else is granted
                self._hand_over([scope.key for scope in pool.scopes], [counter.key for counter in counters])
            needed = amounts.by_limiter()
            keys = (*pool.keys, *[counter.key for counter in counters])
            arguments: tuple[Argument, ...] = (
                lease,
                self._lease_ms,
                1 if strict else 0,
                *pool.rules,
                *[needed[n] for n in pool.used],
                cost,
                *[counter.budget.amount for counter in counters],
            )
            asked = self.valkey.reaches(pool.open_key)
            try:
                reply = await self.valkey.call(ADMIT, keys, arguments)
            except ValkeyUnavailable:
                if asked:  # and perhaps heard, though it did not answer
                    self._owed.append(_undoing(Admission(lease, pool, amounts, counters, cost, 0, ())))
                    self._tell_again()
            except hiredis.ReplyError as problem:
                log.error("admission_script_failed", error=str(problem))
            except asyncio.CancelledError:
                self._forget(Admission(lease, pool, amounts, counters, cost, 0, ()))
                raise
            else:
                admission = Admission(lease, pool, amounts, counters, cost, reply[4], ())
                _understand(admission, reply)
                if admission.admitted:
                    self._open[lease] = admission
                return admission
        return self._admit_alone(pool, lease, amounts, counters, cost, strict=strict)

    def settle(
        self,
        admission: Admission,
        actual: Amounts,
        event: bytes = b"",
        *,
        cost: int = 0,
        attempt_id: uuid.UUID | None = None,
    ) -> asyncio.Future[Any]:
        """Give back what was not used, count `cost` (nanodollars), and append `event` of that attempt.

        The future fails if Valkey may not have the event.
        """
        self._open.pop(admission.lease, None)
        pool = admission.pool
        if admission.local:
            self.local.settle(admission, actual, cost)
            return self.append(pool.organization_id, event) if event else _done()
        attempt = admission.lease if attempt_id is None else str(attempt_id)
        keys, arguments = _settling(admission, actual, event, attempt, cost, again=False)
        settled = self.valkey.call(SETTLE, keys, arguments)
        settled.add_done_callback(functools.partial(self._owe, (admission, actual, attempt, cost)))
        return settled

    def charge(
        self, admission: Admission, event: bytes, *, cost: int, attempt_id: uuid.UUID
    ) -> asyncio.Future[Any]:
        """Append the event of a failed attempt while its request goes on, and count what it cost.

        The result is 0 where the request does not fit into its budgets any more; without Valkey there is none, and
        `admission.fits` says so.
        """
        if admission.local:
            admission.fits = self.local.charge(admission, cost)
            return self.append(admission.pool.organization_id, event)
        keys = (admission.pool.usage_key, *(counter.key for counter in admission.counters))
        amounts = [counter.budget.amount for counter in admission.counters]
        return self.valkey.call(CHARGE, keys, (event, str(attempt_id), cost, *amounts))

    def append(self, organization_id: uuid.UUID, event: bytes) -> asyncio.Future[Any]:
        """Append a usage event that settles nothing: one that waited in the journal."""
        return self.valkey.command("XADD", usage_stream(shard_of(organization_id)), "*", "event", event)

    async def guesses(self, address: str) -> int:
        """Count a wrong key from `address`; how many there were within a minute, this one included."""
        try:
            return int(await self.valkey.call(GUESS, [f"gw:guesses:{address}"], [GUESS_WINDOW_MS]))
        except (ValkeyUnavailable, hiredis.ReplyError):
            if address not in self._guesses:
                asyncio.get_running_loop().call_later(
                    GUESS_WINDOW_MS / 1000, self._guesses.pop, address, None
                )
            self._guesses[address] = self._guesses.get(address, 0) + 1
            return self._guesses[address]

    def valkey_is_up(self) -> None:
        """Bring Valkey up to date, as far as it is there; whatever is asked of it from here on comes after that."""
        self._settle_owed()
        self._hand_over(self.local.scope_keys, list(self.local.shares))
        for admission in self._open.values():
            if self.valkey.reaches(admission.pool.open_key):
                self._renew_lease(admission)
                admission.local = False

    @property
    def processes(self) -> int:
        """How many share the limits while Valkey is away."""
        return 1 if self._replicas is None else self._replicas.count

    @property
    def open_leases(self) -> int:
        return len(self._open)

    def reserved_under(self, key: str) -> int:
        """Nanodollars that requests of this process have reserved in Valkey under a counter and not settled yet."""
        return sum(
            admission.cost
            for admission in self._open.values()
            if not admission.local and any(counter.key == key for counter in admission.counters)
        )

    def _admit_alone(
        self,
        pool: Pool,
        lease: str,
        amounts: Amounts,
        counters: tuple[Counter, ...],
        cost: int,
        *,
        strict: bool,
    ) -> Admission:
        self.local.processes = self.processes
        admission = self.local.admit(pool, lease, amounts, counters, cost, strict=strict)
        if admission.admitted:
            self._open[lease] = admission
        return admission

    def _forget(self, undone: Admission) -> None:
        """The caller left while admission was under way: undo it behind its back, in order on the same connection."""
        self.settle(undone, Amounts()).add_done_callback(_ignore)

    def _owe(self, what: tuple[Admission, Amounts, str, int], settled: asyncio.Future[Any]) -> None:
        if _failed(settled):
            admission, actual, attempt, cost = what
            self._owed.append(_settling(admission, actual, b"", attempt, cost, again=True))
            self._tell_again()

    def _owe_again(self, settling: Settling, settled: asyncio.Future[Any]) -> None:
        if _failed(settled):
            self._owed.append(settling)
            self._tell_again()

    def _settle_owed(self) -> None:
        """Before anything that is still open is told of: a lease that is undone may be that of an open request."""
        owed, self._owed = self._owed, deque(maxlen=MOST_OWED)
        for settling in owed:
            keys, arguments = settling
            if self.valkey.reaches(keys[0]):
                settled = self.valkey.call(SETTLE, keys, arguments)
                settled.add_done_callback(functools.partial(self._owe_again, settling))
            else:
                self._owed.append(settling)

    def _tell_again(self) -> None:
        """Soon: who is there did not listen. Where nobody is there, `valkey_is_up` comes with the connection."""
        if self._telling_again is None:
            loop = asyncio.get_running_loop()
            self._telling_again = loop.call_later(TELL_AGAIN_SECONDS, self._tell_now)

    def _tell_now(self) -> None:
        self._telling_again = None
        self.valkey_is_up()

    async def _renew(self) -> None:
        """Keep the leases of everything that is still running; one that a crash leaves behind ends by itself."""
        while True:
            await asyncio.sleep(self._lease_ms / 1000 / RENEWALS)
            for admission in list(self._open.values()):
                if not admission.local:
                    self._renew_lease(admission)

    def _renew_lease(self, admission: Admission) -> None:
        pool = admission.pool
        keys = [pool.open_key, *(places_of(scope) for scope in pool.scopes if scope.concurrent)]
        self.valkey.call(RENEW, keys, [admission.lease, self._lease_ms]).add_done_callback(_ignore)

    def _hand_over(self, scopes: Sequence[str], budgets: Sequence[str]) -> None:
        """What was granted here goes to Valkey, as far as it is there, by keys."""
        for taken in self.local.take_over([key for key in scopes if self.valkey.reaches(key)]):
            self._tell_taken(taken)
        self._restore_budgets(
            [key for key in budgets if key in self.local.shares and self.valkey.reaches(key)]
        )

    def _tell_taken(self, taken: Taken) -> None:
        def told(future: asyncio.Future[Any]) -> None:
            if _failed(future):
                self.local.put_back(taken)
                self._tell_again()

        if not taken.missing:
            return
        arguments: list[Argument] = [len(taken.missing)]
        for n, amount in taken.missing.items():
            limiter, size = LIMITERS[n], taken.scope.sizes[n]
            arguments += [limiter.field, limiter.window_ms, size, f"{amount:.3f}"]
        self.valkey.call(TAKE, [taken.scope.key], arguments).add_done_callback(told)

    def _restore_budgets(self, keys: Sequence[str]) -> None:
        """Shares end with the outage. Where Valkey does not have the counter, an audit finds what was spent."""
        if not keys:
            return
        reserved: dict[str, list[Argument]] = {key: [] for key in keys}
        for admission in self._open.values():
            for counter in admission.counters:
                if admission.local and counter.key in reserved:
                    reserved[counter.key] += [admission.lease, admission.cost]
        for key in keys:
            share = self.local.shares.pop(key)
            arguments: list[Argument] = [secrets.token_hex(8), share.spent, *reserved[key]]
            self.valkey.call(RESTORE, [key], arguments).add_done_callback(
                functools.partial(self._restored, key, share)
            )

    def _restored(self, key: str, share: Share, told: asyncio.Future[Any]) -> None:
        if _failed(told):
            self.local.put_back_share(key, share)
            self._tell_again()


def _settling(
    admission: Admission, actual: Amounts, event: bytes, attempt: str, cost: int, *, again: bool
) -> Settling:
    pool = admission.pool
    reserved, used = admission.amounts.by_limiter(), actual.by_limiter()
    keys = (pool.usage_key, *pool.keys, *[counter.key for counter in admission.counters])
    return keys, (
        admission.lease,
        event,
        attempt,
        1 if again else 0,
        *pool.rules,
        *[reserved[n] for n in pool.used],
        *[used[n] for n in pool.used],
        cost,
    )


def _undoing(admission: Admission) -> Settling:
    """Gives back all that was reserved, if anything was."""
    return _settling(admission, Amounts(), b"", admission.lease, 0, again=True)


def _understand(admission: Admission, reply: list[Any]) -> None:
    """Take in the script's reply: verdict, three numbers, the clock, then for each scope L levels and its places."""
    pool = admission.pool
    width = len(pool.used) + 1
    admission.states = tuple(
        ScopeState(scope, tuple(reply[at : at + width - 1]), reply[at + width - 1])
        for at, scope in zip(range(5, 5 + width * len(pool.scopes), width), pool.scopes, strict=True)
    )
    verdict = reply[0]
    if verdict == 0:
        admission.refusal = _refusal(admission, reply)
    elif verdict == 2:
        admission.refusal = BudgetRefusal(
            admission.counters[reply[1] - 1], admission.cost, reply[2], reply[3]
        )
    elif verdict == 3:
        admission.unknown = admission.counters[reply[1] - 1]


def _refusal(admission: Admission, reply: list[Any]) -> Refusal:
    pool, state = admission.pool, admission.states[reply[1] - 1]
    wait = None if reply[3] < 0 else reply[3]
    if reply[2] > len(pool.used):
        last = reply[-1]
        oldest = last.decode() if isinstance(last, bytes) else ""
        return Refusal(state.scope, CONCURRENT, wait, 1, state.scope.concurrent - state.held, oldest)
    place = reply[2] - 1
    needed = admission.amounts.by_limiter()[pool.used[place]]
    return Refusal(state.scope, LIMITERS[pool.used[place]].name, wait, needed, state.remaining[place])


def _done() -> asyncio.Future[Any]:
    future = asyncio.get_running_loop().create_future()
    future.set_result(None)
    return future


def _failed(future: asyncio.Future[Any]) -> bool:
    return not future.cancelled() and future.exception() is not None


def _ignore(future: asyncio.Future[Any]) -> None:
    """A lease that could not be touched ends by its deadline; the outage itself is logged by the connection."""
    if not future.cancelled():
        future.exception()
