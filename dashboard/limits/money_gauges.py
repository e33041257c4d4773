"""Every amount of money that can block a request: spend limits in their windows, and prepaid credit."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from decimal import Decimal

from admin_api.money import cents
from admin_api.queries.credit import Credit, credit
from admin_api.queries.spend_gauges import SpendGauge, spend_gauges
from dashboard.frame import figures
from dashboard.limits.holders import Chosen
from dashboard.limits.live import state_of
from gateway.models import Organization

PERIODS = {"daily": "today", "weekly": "this week", "monthly": "this month"}
WHOSE = {"organization": "Organization", "workspace": "Workspace", "user": "Member", "api_key": "Key"}
HUNDRED = Decimal(100)


@dataclasses.dataclass(frozen=True)
class MoneyGauge:
    """As a meter is drawn; `exact` are all digits of what is spent."""

    id: str
    label: str
    whose: str
    used: str
    limit: str
    exact: str
    used_percent: int
    state: str
    note: str


def read(chosen: Chosen, now: datetime.datetime) -> list[MoneyGauge]:
    """From the ledger, which is seconds behind the requests."""
    found = spend_gauges(chosen.organization, now, chosen.spenders)
    names = {holder.kind: holder.name for holder in chosen.holders}
    shown = [_of_limit(place, one, names) for place, one in enumerate(found)]
    return shown + _of_credit(chosen.organization)


def _of_limit(place: int, gauge: SpendGauge, names: Mapping[str, str]) -> MoneyGauge:
    limit, scope = gauge.limit, gauge.limit.scope["type"]
    assert limit.amount is not None
    return _gauge(
        f"money-{place}",
        f"Spend {PERIODS[limit.period]}",
        names.get(scope, WHOSE[scope]),
        gauge.spent,
        Decimal(limit.amount) / HUNDRED,
        f"starts again {gauge.ends_at:%b %-d, %H:%M} UTC",
    )


def _of_credit(organization: Organization) -> list[MoneyGauge]:
    if organization.prepaid_since is None:
        return []
    found: Credit = credit(organization)
    granted = Decimal(found.granted) / HUNDRED
    return [
        _gauge(
            "money-credit", "Prepaid credit used", "Organization", found.spent, granted, "never starts again"
        )
    ]


def _gauge(id: str, label: str, whose: str, spent: Decimal, limit: Decimal, resets: str) -> MoneyGauge:
    percent = 100 if not limit else min(100, max(0, int(cents(spent) / limit)))
    left = max(Decimal(0), limit - spent)
    return MoneyGauge(
        id=id,
        label=label,
        whose=whose,
        used=figures.money(spent),
        limit=figures.money(limit),
        exact=figures.exact_money(spent),
        used_percent=percent,
        state=state_of(percent),
        note=f"{figures.money(left)} left, {resets}",
    )
