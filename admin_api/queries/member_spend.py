"""What members spent through the keys that act for them, read from the rollup of days."""

from __future__ import annotations

import datetime
from collections.abc import Collection
from decimal import Decimal

from django.db import connection

from gateway.models import Organization
from gateway.models.spend_limits import Period

Spend = dict[tuple[str, str], Decimal]

# Windows begin at midnight in UTC, as the buckets of days do.
_SQL = """
SELECT k.user_id, {sums}
  FROM usage_day u JOIN gateway_apikey k ON k.id = u.api_key_id AND k.organization_id = u.organization_id
 WHERE u.organization_id = %s AND u.bucket >= %s AND u.bucket <= %s AND k.user_id = ANY(%s)
 GROUP BY k.user_id
"""
_SUM = "coalesce(sum(u.cost) FILTER (WHERE u.bucket >= %s), 0)"


def spend_to_date(
    organization: Organization,
    user_ids: Collection[str],
    periods: Collection[Period],
    *,
    now: datetime.datetime,
) -> Spend:
    """US dollars since the beginning of the periods that `now` lies in, by member and period; none is absent.

    Keys that act for nobody, and those that somebody only made, are nobody's spend.
    """
    if not user_ids or not periods:
        return {}
    starts = {period: period.start(now) for period in periods}
    sql = _SQL.format(sums=", ".join([_SUM] * len(starts)))
    first = min(starts.values())
    with connection.cursor() as cursor:
        cursor.execute(sql, [*starts.values(), organization.id, first, now, list(user_ids)])
        rows = cursor.fetchall()
    return {
        (user_id, period): Decimal(sum)
        for user_id, *sums in rows
        for period, sum in zip(starts, sums, strict=True)
    }
