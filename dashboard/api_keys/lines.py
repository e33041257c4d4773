"""API keys as their list shows them: how each stands, what it spent of what it may, and how its week went."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence
from decimal import Decimal

from admin_api.queries.api_keys import STALE_AFTER
from admin_api.queries.key_usage import KeyDay, key_days
from dashboard.charts.sparkline import Sparkline, sparkline
from gateway.models import ApiKey, ApiKeyUse, Organization
from gateway.models.spend_limits import Period

WEEK = 7  # days of the sparkline, today among them
STATUSES = {"active": "Active", "inactive": "Disabled", "expired": "Expired", "archived": "Archived"}
KINDS = {"active": "good", "inactive": "warn", "expired": "bad", "archived": "plain"}  # of badges
PERIODS = {"daily": "today", "weekly": "this week", "monthly": "this month"}
CENTS = 100


@dataclasses.dataclass(frozen=True)
class Spend:
    """US dollars since the period began; `limit` is None for a key without one, of which the month is told."""

    spent: Decimal
    limit: Decimal | None
    period: str

    @property
    def used_percent(self) -> int:
        return min(100, int(self.spent * 100 / self.limit)) if self.limit else 100

    @property
    def state(self) -> str:
        """As meters are coloured."""
        return "full" if self.used_percent >= 100 else "high" if self.used_percent >= 80 else "calm"


@dataclasses.dataclass(frozen=True)
class Line:
    key: ApiKey
    status: str
    stale: bool
    use: ApiKeyUse | None
    week: Sparkline
    spend: Spend

    @property
    def label(self) -> str:
        return STATUSES[self.status]

    @property
    def kind(self) -> str:
        return KINDS[self.status]


def lines(organization: Organization, keys: Sequence[ApiKey], now: datetime.datetime) -> list[Line]:
    """In their order, by one query for all."""
    today = Period("daily").start(now)
    since = min(
        Period("monthly").start(now), Period("weekly").start(now), today - datetime.timedelta(days=WEEK - 1)
    )
    used: dict[str, list[KeyDay]] = {}
    for day in key_days(organization, [key.id for key in keys], since):
        used.setdefault(day.api_key_id, []).append(day)
    return [_line(key, used.get(key.id, []), now) for key in keys]


def _line(key: ApiKey, days: Sequence[KeyDay], now: datetime.datetime) -> Line:
    use, status = key.last_use, key.current_status
    last = use.at if use is not None else key.created_at
    return Line(
        key=key,
        status=status,
        stale=status == ApiKey.Status.ACTIVE and max(last, key.created_at) < now - STALE_AFTER,
        use=use,
        week=_week(days, now),
        spend=_spend(key, days, now),
    )


def _week(days: Sequence[KeyDay], now: datetime.datetime) -> Sparkline:
    today = Period("daily").start(now).date()
    dates = [today - datetime.timedelta(days=back) for back in reversed(range(WEEK))]
    requests = dict.fromkeys(dates, 0)
    for one in days:
        if one.day in requests:
            requests[one.day] += one.requests
    return sparkline(dates, list(requests.values()), "requests")


def _spend(key: ApiKey, days: Sequence[KeyDay], now: datetime.datetime) -> Spend:
    limit = next((one for one in key.spend_limits.all() if one.amount is not None), None)
    period = Period(limit.period if limit is not None else Period.MONTHLY)
    start = period.start(now).date()
    spent = sum((one.cost for one in days if one.day >= start), Decimal(0))
    return Spend(spent, Decimal(limit.amount) / CENTS if limit is not None else None, PERIODS[period])
