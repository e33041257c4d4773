"""Budgets: what may be spent in a period and how far that is, ready to be drawn; and requests for more."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from decimal import Decimal

from admin_api.queries.budgets import Budget
from admin_api.queries.spend_standings import THRESHOLDS
from admin_api.queries.spend_summaries import SpendSummary
from dashboard.frame import figures
from gateway.models import SpendLimit
from gateway.models.spend_limits import Period

_, HIGH, FULL = THRESHOLDS  # percent from which a meter says so
PERIODS = {Period.DAILY: "day", Period.WEEKLY: "week", Period.MONTHLY: "month"}
NOW = {Period.DAILY: "Today", Period.WEEKLY: "This week", Period.MONTHLY: "This month"}
MOST = 20  # on a page that is about other things too
SCOPES = {"organization": "", "workspace": "Workspace", "user": "Member", "api_key": "API key"}


@dataclasses.dataclass(frozen=True)
class Meter:
    """As `<c-meter>` draws it."""

    name: str
    label: str
    used: str
    limit: str
    used_percent: int
    state: str
    note: str


@dataclasses.dataclass(frozen=True)
class Line:
    """A budget as a row: `meter` is None where it says that there is no limit. `percent` may be more than 100."""

    budget: Budget
    scope: str
    period: str
    meter: Meter | None
    alerts: str

    @property
    def id(self) -> str:
        return self.budget.limit.id

    @property
    def words(self) -> str:
        """How it is called in a sentence."""
        return f"{self.budget.name}, {self.period}"


def line(budget: Budget) -> Line:
    limit, period = budget.limit, PERIODS[Period(budget.limit.period)]
    told = sorted(budget.told)
    return Line(
        budget=budget,
        scope=SCOPES[limit.scope["type"]],
        period=f"each {period}",
        meter=meter(limit, budget.name, budget.spent),
        alerts=f"told at {' and '.join(f'{one}%' for one in told)}" if told else "none yet",
    )


def meter(limit: SpendLimit, label: str, spent: Decimal) -> Meter | None:
    if limit.amount is None:
        return None
    dollars = Decimal(limit.amount) / 100
    percent = int(spent * 100 / dollars) if dollars else FULL
    state = "full" if percent >= FULL else "high" if percent >= HIGH else "calm"
    left = max(Decimal(0), dollars - spent)
    return Meter(
        name=f"budget-{limit.id}",
        label=label,
        used=figures.brief_money(spent),
        limit=f"{figures.money(dollars)} a {PERIODS[Period(limit.period)]}",
        used_percent=min(100, percent),
        state=state,
        note=f"{percent}%. "
        + ("Used up: requests are refused." if state == "full" else f"{figures.money(left)} left."),
    )


def of_member(summaries: Iterable[SpendSummary]) -> list[Meter]:
    """What a member may spend, by period."""
    found = [meter(one.limit, f"{NOW[Period(one.limit.period)]} (UTC)", one.spend) for one in summaries]
    return [one for one in found if one is not None]
