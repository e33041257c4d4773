"""Budgets: what may be spent within a window of time, and where it is counted.

A spend limit is one, with the windows of its period; so is an organization's prepaid credit, whose window began when
it was first paid for and never ends. Amounts are nanodollars: integers that a script adds without rounding up to
nine million dollars.
"""

from __future__ import annotations

import datetime
import functools
import uuid
from decimal import ROUND_CEILING, Decimal
from typing import Literal

import msgspec

from gateway.shards import shard_of

NANODOLLARS_A_CENT = 10_000_000
NANODOLLARS_A_DOLLAR = Decimal(1_000_000_000)
CREDIT = "credit"
DAY_MS = 86_400_000

BudgetScope = Literal["organization", "workspace", "user", "api_key"]


class Budget(msgspec.Struct, frozen=True):
    """`amount` in nanodollars; `period` is `daily`, `weekly`, `monthly`, or `credit` with its beginning in `since_ms`
    (Unix time). `version` changes whenever what was counted so far may not be relied on.
    """

    id: str
    scope: BudgetScope
    scope_id: str
    period: str
    amount: int
    version: int = 0
    since_ms: int = 0


class Counter(msgspec.Struct, frozen=True):
    """One budget within one window: `key` names its state in Valkey. Unix times in ms; `end_ms` 0 is never."""

    key: str
    budget: Budget
    organization_id: uuid.UUID
    start_ms: int
    end_ms: int


class Budgets:
    """The budgets of one key in one workspace."""

    __slots__ = ("_budgets", "_counters", "_day", "_organization_id")

    def __init__(self, organization_id: uuid.UUID, budgets: tuple[Budget, ...]) -> None:
        self._organization_id = organization_id
        self._budgets = budgets
        self._day = -1
        self._counters: tuple[Counter, ...] = ()

    def __bool__(self) -> bool:
        return bool(self._budgets)

    def counters(self, at_ms: int) -> tuple[Counter, ...]:
        """Those of the windows that this moment lies in."""
        day = at_ms // DAY_MS
        if day != self._day:
            self._counters = tuple(self._counter(budget, day) for budget in self._budgets)
            self._day = day
        return self._counters

    def _counter(self, budget: Budget, day: int) -> Counter:
        start, end = (budget.since_ms, 0) if budget.period == CREDIT else window(budget.period, day)
        organization = self._organization_id
        key = (
            f"gw:{{{shard_of(organization)}}}:spend:{organization}:{budget.scope}:{budget.scope_id}"
            f":{budget.id}.{budget.version}:{start}"
        )
        return Counter(key, budget, organization, start, end)


@functools.lru_cache(maxsize=256)
def window(period: str, day: int) -> tuple[int, int]:
    """Unix times in ms at which the window of this day begins and ends; `day` counts from 1970."""
    today = datetime.date(1970, 1, 1) + datetime.timedelta(days=day)
    if period == "weekly":
        start = today - datetime.timedelta(days=today.weekday())
        return _ms(start), _ms(start + datetime.timedelta(days=7))
    if period == "monthly":
        start = today.replace(day=1)
        return _ms(start), _ms((start + datetime.timedelta(days=32)).replace(day=1))
    return _ms(today), _ms(today + datetime.timedelta(days=1))


def nanodollars(dollars: Decimal) -> int:
    """Rounded up: a counter never shows less than was spent."""
    return int((dollars * NANODOLLARS_A_DOLLAR).to_integral_value(ROUND_CEILING))


def _ms(day: datetime.date) -> int:
    return (day - datetime.date(1970, 1, 1)).days * DAY_MS
