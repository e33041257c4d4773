"""Budgets: what may be spent in a period and how far that is, ready to be drawn."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from decimal import Decimal

from admin_api.queries.spend_summaries import SpendSummary
from dashboard import figures
from gateway.models import SpendLimit
from gateway.models.spend_limits import Period

HIGH, FULL = 80, 100  # percent, from which a meter says so
PERIODS = {Period.DAILY: "day", Period.WEEKLY: "week", Period.MONTHLY: "month"}


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


def meter(limit: SpendLimit, label: str, spent: Decimal, note: str = "") -> Meter | None:
    """None for a limit that says that there is none."""
    if limit.amount is None:
        return None
    dollars = Decimal(limit.amount) / 100
    percent = int(spent * 100 / dollars) if dollars else 100
    state = "full" if percent >= FULL else "high" if percent >= HIGH else "calm"
    left = max(Decimal(0), dollars - spent)
    words = "Used up: requests are refused." if state == "full" else f"{figures.money(left)} left."
    return Meter(
        name=f"budget-{limit.id}",
        label=label,
        used=figures.brief_money(spent),
        limit=f"{figures.money(dollars)} a {PERIODS[Period(limit.period)]}",
        used_percent=min(100, percent),
        state=state,
        note=f"{words} {note}".strip(),
    )


def of_member(summaries: Iterable[SpendSummary]) -> list[Meter]:
    """What a member may spend, by period."""
    found = [
        meter(one.limit, f"This {PERIODS[Period(one.limit.period)]}", one.spend, "Windows begin in UTC.")
        for one in summaries
    ]
    return [one for one in found if one is not None]
