"""What was spent today, this month and on the last full days: one query over the sums of days."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence
from decimal import Decimal

from django.db import connection

from gateway.models import Organization
from gateway.models.spend_limits import Period

FULL_DAYS = 7


@dataclasses.dataclass(frozen=True)
class RecentSpend:
    """US dollars. `a_day` is the mean of the last full days, at most `FULL_DAYS`, from the first on that had any use;
    None where there is none."""

    today: Decimal
    month: Decimal
    a_day: Decimal | None
    month_ends_at: datetime.datetime

    def forecast(self, now: datetime.datetime) -> Decimal | None:
        """What the month will come to if it goes on as on these days."""
        if self.a_day is None:
            return None
        left = Decimal((self.month_ends_at - now).total_seconds()) / Decimal(86_400)
        return self.month + self.a_day * left


_SQL = """
SELECT coalesce(sum(cost) FILTER (WHERE bucket >= %(today)s), 0),
       coalesce(sum(cost) FILTER (WHERE bucket >= %(month)s), 0),
       coalesce(sum(cost) FILTER (WHERE bucket >= %(full)s AND bucket < %(today)s), 0),
       min(bucket) FILTER (WHERE bucket >= %(full)s AND bucket < %(today)s)
  FROM usage_day
 WHERE organization_id = %(organization)s AND bucket >= least(%(month)s, %(full)s) AND bucket <= %(now)s
   AND (%(keys)s::text[] IS NULL OR api_key_id = ANY(%(keys)s))
"""


def recent_spend(
    organization: Organization, now: datetime.datetime, api_key_ids: Sequence[str] | None = None
) -> RecentSpend:
    """Of the organization, or of these keys of its."""
    today, month = Period(Period.DAILY).start(now), Period(Period.MONTHLY).start(now)
    given = {
        "today": today,
        "month": month,
        "full": today - datetime.timedelta(days=FULL_DAYS),
        "now": now,
        "organization": organization.id,
        "keys": None if api_key_ids is None else list(api_key_ids),
    }
    with connection.cursor() as cursor:
        cursor.execute(_SQL, given)
        ((of_today, of_month, of_full_days, first),) = cursor.fetchall()
    days = 0 if first is None else (today - first).days
    a_day = Decimal(of_full_days) / days if days else None
    return RecentSpend(Decimal(of_today), Decimal(of_month), a_day, Period(Period.MONTHLY).end(month))
