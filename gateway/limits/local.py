"""The limiter of last resort: a share of each limit in this process alone, while Valkey is away.

Each of N processes grants an Nth of every limit, so that together they grant it once. What was granted here is taken
from Valkey's buckets when it is back (`take_over`), so that nothing is granted twice.
"""

from __future__ import annotations

import dataclasses
import time
from collections import OrderedDict
from collections.abc import Iterable

from gateway.budgets import Counter
from gateway.limiters import CONCURRENT, LIMITERS, Amounts
from gateway.limits.admission import Admission, BudgetRefusal, Refusal, ScopeState
from gateway.scopes import Pool, Scope

CAPACITY = 10_000


class _State:
    """One scope's buckets, in the order of `LIMITERS`; a limit that is not set has size 0."""

    __slots__ = ("at", "leases", "levels", "scope", "sizes")

    def __init__(self, scope: Scope, sizes: list[float], now: float) -> None:
        self.scope = scope
        self.at = now
        self.sizes = sizes
        self.levels = list(sizes)
        self.leases: set[str] = set()

    def refill(self, sizes: list[float], now: float) -> None:
        """`sizes` may have changed since: what is missing stays missing."""
        elapsed, self.at = max(0.0, now - self.at), now
        for n, size in enumerate(sizes):
            level = self.levels[n] + size - self.sizes[n] + elapsed * 1000 * size / LIMITERS[n].window_ms
            self.levels[n] = min(size, level)
        self.sizes = sizes


@dataclasses.dataclass
class Share:
    """What this process may spend of one budget until Valkey is back, in nanodollars."""

    amount: int
    spent: int = 0
    reserved: int = 0


@dataclasses.dataclass(frozen=True)
class Taken:
    """What is missing from one scope's buckets, by place in `LIMITERS`."""

    scope: Scope
    missing: dict[int, float]


class LocalLimiter:
    """`admit` and `settle` as the scripts do it, without I/O. `processes` is how many share each limit."""

    def __init__(self) -> None:
        self._states: OrderedDict[str, _State] = OrderedDict()
        self.shares: dict[str, Share] = {}
        self.processes = 1

    def admit(
        self,
        pool: Pool,
        lease: str,
        amounts: Amounts,
        counters: tuple[Counter, ...],
        cost: int,
        *,
        strict: bool,
    ) -> Admission:
        now = time.monotonic()
        needed = amounts.by_limiter()
        states = [self._state(scope, now) for scope in pool.scopes]
        refusals = [
            self._refusal(scope, state, needed, strict=strict)
            for scope, state in zip(pool.scopes, states, strict=True)
        ]
        budget, unknown = self._budget(counters, cost)
        refusal = budget or _worst([one for one in refusals if one])
        if refusal is None and unknown is None:
            self._take(states, lease, needed)
            self._reserve(counters, cost)
        return Admission(
            lease=lease,
            pool=pool,
            amounts=amounts,
            counters=counters,
            cost=cost,
            now_ms=time.time_ns() // 1_000_000,
            states=tuple(
                ScopeState(scope, tuple(int(state.levels[n]) for n in pool.used), len(state.leases))
                for scope, state in zip(pool.scopes, states, strict=True)
            ),
            refusal=refusal,
            unknown=unknown,
            local=True,
        )

    def settle(self, admission: Admission, actual: Amounts, cost: int) -> None:
        reserved, used = admission.amounts.by_limiter(), actual.by_limiter()
        for scope in admission.pool.scopes:
            state = self._states.get(scope.key)
            if state is None or admission.lease not in state.leases:
                continue
            state.leases.discard(admission.lease)
            for n, size in enumerate(state.sizes):
                if size:
                    state.levels[n] = min(size, state.levels[n] + min(reserved[n], size) - used[n])
        for counter in admission.counters:
            if share := self.shares.get(counter.key):
                share.reserved -= admission.cost
                share.spent += cost

    def charge(self, admission: Admission, cost: int) -> bool:
        """Count what a failed attempt cost; whether what is reserved still fits."""
        fits = True
        for counter in admission.counters:
            if share := self.shares.get(counter.key):
                share.spent += cost
                fits = fits and share.spent + share.reserved <= share.amount
        return fits

    @property
    def scope_keys(self) -> list[str]:
        """Of scopes that something is known of here."""
        return list(self._states)

    def take_over(self, keys: Iterable[str]) -> list[Taken]:
        """What Valkey has to be told of these scopes. From here on nothing is known of them here; see `put_back`."""
        now = time.monotonic()
        taken = []
        for state in [self._states.pop(key) for key in keys if key in self._states]:
            state.refill(state.sizes, now)
            missing = {n: size - state.levels[n] for n, size in enumerate(state.sizes) if size}
            taken.append(Taken(state.scope, {n: amount for n, amount in missing.items() if amount > 0}))
        return taken

    def put_back(self, taken: Taken) -> None:
        """Valkey could not be told after all."""
        state = self._state(taken.scope, time.monotonic())
        for n, amount in taken.missing.items():
            state.levels[n] -= amount

    def put_back_share(self, key: str, share: Share) -> None:
        """The same of a budget."""
        known = self.shares.setdefault(key, share)
        if known is not share:
            known.spent += share.spent
            known.reserved += share.reserved

    def _state(self, scope: Scope, now: float) -> _State:
        sizes = [size / self.processes for size in scope.sizes]
        state = self._states.get(scope.key)
        if state is None:
            state = self._states[scope.key] = _State(scope, sizes, now)
            if len(self._states) > CAPACITY:
                self._states.popitem(last=False)
        self._states.move_to_end(scope.key)
        state.refill(sizes, now)
        return state

    def _refusal(
        self, scope: Scope, state: _State, needed: tuple[int, ...], *, strict: bool
    ) -> Refusal | None:
        refusals = [
            refusal
            for n, size in enumerate(state.sizes)
            if size and (refusal := _bucket_refusal(scope, state, n, needed[n], strict=strict))
        ]
        most = max(1, scope.concurrent // self.processes) if scope.concurrent else 0
        if most and len(state.leases) >= most:
            refusals.append(Refusal(scope, CONCURRENT, 1000))
        return _worst(refusals)

    def _take(self, states: list[_State], lease: str, needed: tuple[int, ...]) -> None:
        for state in states:
            state.leases.add(lease)
            for n, size in enumerate(state.sizes):
                state.levels[n] -= min(needed[n], size)

    def _budget(
        self, counters: tuple[Counter, ...], cost: int
    ) -> tuple[BudgetRefusal | None, Counter | None]:
        for counter in counters:
            share = self.shares.get(counter.key)
            if share is None:
                return None, counter
            if share.spent + share.reserved + cost > share.amount or share.spent >= share.amount:
                return BudgetRefusal(
                    counter, cost, counter.budget.amount - share.amount + share.spent, 0
                ), None
        return None, None

    def _reserve(self, counters: tuple[Counter, ...], cost: int) -> None:
        for counter in counters:
            self.shares[counter.key].reserved += cost


def _bucket_refusal(scope: Scope, state: _State, n: int, needed: int, *, strict: bool) -> Refusal | None:
    """Where a share is less than one request, a request has to wait until there is as much as one."""
    limiter, size, level = LIMITERS[n], state.sizes[n], state.levels[n]
    if strict and needed > scope.sizes[n]:
        return Refusal(scope, limiter.name, None, needed, int(level))
    want = min(needed, size)
    if want <= 0 or level >= want - 1e-6:
        return None
    wait = round((want - level) * limiter.window_ms / size)
    return Refusal(scope, limiter.name, wait, needed, int(level))


def _worst(refusals: list[Refusal]) -> Refusal | None:
    return max(refusals, key=lambda one: float("inf") if one.wait_ms is None else one.wait_ms, default=None)
