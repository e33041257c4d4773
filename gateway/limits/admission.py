"""What comes of asking the limiter: the state of every limit, and the one that refuses, if any."""

from __future__ import annotations

import datetime
import math
from decimal import Decimal

import msgspec

from gateway.budgets import CREDIT, NANODOLLARS_A_DOLLAR, Counter
from gateway.errors import GatewayError, OutOfCredit, RateLimited, SpendLimitReached
from gateway.limiters import CONCURRENT, CONCURRENT_WORDS, LIMITERS, Amounts
from gateway.scopes import Pool, Scope

_WHOSE = {
    "organization": "your organization's",
    "workspace": "your workspace's",
    "user": "your",
    "api_key": "your API key's",
}
_WHAT = {limiter.name: limiter.words for limiter in LIMITERS} | {CONCURRENT: CONCURRENT_WORDS}

# Nobody waits for longer: an SDK that would sleep for hours is told not to try again.
LONGEST_WAIT_MS = 600_000


class ScopeState(msgspec.Struct, frozen=True):
    """What is left under one scope: whole units in each bucket in the order of the pool's `used` (may be negative: a
    debt), and places held."""

    scope: Scope
    remaining: tuple[int, ...]
    held: int


class Refusal(msgspec.Struct, frozen=True):
    """The limit that a request would have to wait for longest, and how long, in milliseconds; None is for ever.

    `oldest` is the lease of whoever holds a place for longest, where `limit` is one of places.
    """

    scope: Scope
    limit: str
    wait_ms: int | None
    needed: int = 1
    remaining: int = 0
    oldest: str = ""

    @property
    def helps_to_wait(self) -> bool:
        return self.wait_ms is not None and self.wait_ms <= LONGEST_WAIT_MS

    def error(self) -> GatewayError:
        """The 429 that names the limit; `retry-after` in whole seconds is enough to wait."""
        value = self.scope.limit(self.limit)
        told = f"{_WHOSE[self.scope.kind]} rate limit of {value:,} {_WHAT[self.limit]} ({self.limit})"
        if self.wait_ms is None:
            message = f"This request alone may take {self.needed:,}, more than {told} ever allows."
            return RateLimited(message, headers={"x-should-retry": "false"})
        headers = {"retry-after": str(max(1, math.ceil(self.wait_ms / 1000)))}
        if not self.helps_to_wait:
            headers["x-should-retry"] = "false"
        return RateLimited(f"This request would exceed {told}. Please try again later.", headers=headers)


class BudgetRefusal(msgspec.Struct, frozen=True):
    """The budget that a request does not fit into. All amounts in nanodollars."""

    counter: Counter
    needed: int
    spent: int
    reserved: int

    @property
    def remaining(self) -> int:
        return self.counter.budget.amount - self.spent - self.reserved

    @property
    def fits_later(self) -> bool:
        """Whether it would fit if all that is under way cost nothing."""
        return self.spent + self.needed <= self.counter.budget.amount

    def error(self, now_ms: int) -> GatewayError:
        """429 `billing_error` that names the limit and its reset, or 402 where prepaid credit is used up."""
        budget = self.counter.budget
        if budget.period == CREDIT:
            message = "Your organization's credit balance is too low for this request. Please add credit."
            return OutOfCredit(message, headers={"x-should-retry": "false"})
        resets = datetime.datetime.fromtimestamp(self.counter.end_ms / 1000, datetime.UTC)
        message = (
            f"This request would exceed {_WHOSE[budget.scope]} {budget.period} spend limit of "
            f"${Decimal(budget.amount) / NANODOLLARS_A_DOLLAR:,.2f}. The limit resets at {resets:%Y-%m-%d %H:%M} UTC."
        )
        seconds = max(1, math.ceil((self.counter.end_ms - now_ms) / 1000))
        headers = {"retry-after": str(seconds), "x-should-retry": "false"}
        return SpendLimitReached(message, headers=headers, error_code="enforced_spend_limit_reached")


class Admission(msgspec.Struct):
    """An answer of the limiter. What was reserved goes back at settlement: `amounts`, and `cost` in nanodollars under
    each of `counters`.

    `unknown` is a counter that has to be audited before anything can be admitted under it. `local` marks an answer that
    this process gave on its own because Valkey was away.
    """

    lease: str
    pool: Pool
    amounts: Amounts
    counters: tuple[Counter, ...]
    cost: int
    now_ms: int
    states: tuple[ScopeState, ...]
    refusal: Refusal | BudgetRefusal | None = None
    unknown: Counter | None = None
    local: bool = False
    fits: bool = True  # also after what failed attempts cost, as far as this process knows

    @property
    def admitted(self) -> bool:
        return self.refusal is None and self.unknown is None
