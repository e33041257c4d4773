"""How all spend limits stand in their windows, and which thresholds nobody was told of yet: each is one query."""

from __future__ import annotations

import dataclasses
import datetime
from decimal import Decimal
from typing import Any

from django.db import connection

from gateway.models import Organization
from gateway.models.spend_limits import Period

THRESHOLDS = (50, 80, 100)  # percent


@dataclasses.dataclass(frozen=True)
class Crossing:
    """`threshold` percent of `amount` US cents are reached by `spent` US dollars since `window_start`.

    `scope_id` is the id that goes with the type of scope, the organization's for itself. Prepaid credit has the
    scope `credit`, no limit and no period: its window never ends.
    """

    organization_id: str
    limit_id: str
    scope: str
    scope_id: str
    period: Period | None
    window_start: datetime.datetime
    threshold: int
    amount: int
    spent: Decimal


# Days are summed by key first, once for all limits; a limit then adds up few rows. Windows begin at midnight in UTC,
# as the buckets of days do. A limit of nothing is reached by nothing: nobody is told of it.
_STANDINGS = """
WITH window_of (period, start) AS (VALUES ('daily', %(daily)s), ('weekly', %(weekly)s), ('monthly', %(monthly)s)),
used AS MATERIALIZED (
  SELECT organization_id, workspace_id, api_key_id,
         sum(cost) FILTER (WHERE bucket >= %(daily)s) AS daily,
         sum(cost) FILTER (WHERE bucket >= %(weekly)s) AS weekly,
         sum(cost) FILTER (WHERE bucket >= %(monthly)s) AS monthly
    FROM usage_day
   WHERE bucket >= least(%(weekly)s, %(monthly)s) AND bucket <= %(now)s
     AND organization_id IN (SELECT organization_id FROM gateway_spendlimit WHERE amount > 0)
     AND (%(only)s::uuid IS NULL OR organization_id = %(only)s)
   GROUP BY organization_id, workspace_id, api_key_id
),
by_organization AS (
  SELECT organization_id, sum(daily) AS daily, sum(weekly) AS weekly, sum(monthly) AS monthly
    FROM used GROUP BY organization_id
),
by_workspace AS (
  SELECT organization_id, workspace_id, sum(daily) AS daily, sum(weekly) AS weekly, sum(monthly) AS monthly
    FROM used GROUP BY organization_id, workspace_id
),
by_user AS (
  SELECT u.organization_id, k.user_id, sum(daily) AS daily, sum(weekly) AS weekly, sum(monthly) AS monthly
    FROM used u JOIN gateway_apikey k ON k.id = u.api_key_id AND k.organization_id = u.organization_id
   WHERE k.user_id IS NOT NULL GROUP BY u.organization_id, k.user_id
),
by_key AS (
  SELECT organization_id, api_key_id, sum(daily) AS daily, sum(weekly) AS weekly, sum(monthly) AS monthly
    FROM used GROUP BY organization_id, api_key_id
),
sums AS (
  SELECT l.id, 'organization' AS scope, l.organization_id::text AS scope_id, s.daily, s.weekly, s.monthly
    FROM gateway_spendlimit l LEFT JOIN by_organization s USING (organization_id)
   WHERE l.amount > 0 AND l.workspace_id IS NULL AND l.user_id IS NULL AND l.api_key_id IS NULL
  UNION ALL
  SELECT l.id, 'workspace', l.workspace_id, s.daily, s.weekly, s.monthly
    FROM gateway_spendlimit l LEFT JOIN by_workspace s USING (organization_id, workspace_id)
   WHERE l.amount > 0 AND l.workspace_id IS NOT NULL
  UNION ALL
  SELECT l.id, 'user', l.user_id, s.daily, s.weekly, s.monthly
    FROM gateway_spendlimit l LEFT JOIN by_user s USING (organization_id, user_id)
   WHERE l.amount > 0 AND l.user_id IS NOT NULL
  UNION ALL
  SELECT l.id, 'api_key', l.api_key_id, s.daily, s.weekly, s.monthly
    FROM gateway_spendlimit l LEFT JOIN by_key s USING (organization_id, api_key_id)
   WHERE l.amount > 0 AND l.api_key_id IS NOT NULL
),
standing AS (
  SELECT l.organization_id, l.id AS limit_id, s.scope, s.scope_id, l.period, w.start, l.amount,
         coalesce(CASE l.period WHEN 'daily' THEN s.daily WHEN 'weekly' THEN s.weekly ELSE s.monthly END, 0) AS spent
    FROM gateway_spendlimit l JOIN sums s USING (id) JOIN window_of w USING (period)
)
"""

# Dollars are a hundred cents and amounts a hundred percent, hence 10,000.
_CROSSED = """
SELECT s.organization_id::text, s.limit_id, s.scope, s.scope_id, s.period, s.start, t.threshold, s.amount, s.spent
  FROM standing s CROSS JOIN unnest(%(thresholds)s::int[]) AS t (threshold)
 WHERE s.spent * 10000 >= s.amount * t.threshold
   AND NOT EXISTS (SELECT 1 FROM gateway_spendalert a
                    WHERE a.organization_id = s.organization_id AND a.limit_id = s.limit_id
                      AND a.window_start = s.start AND a.threshold = t.threshold AND a.rearmed_at IS NULL)
 ORDER BY s.limit_id, t.threshold
"""

_SPENT = "SELECT limit_id, spent FROM standing WHERE organization_id = %(only)s"

_FULLEST = _SPENT + " ORDER BY spent / amount DESC, limit_id LIMIT %(most)s"

_REARM = """
UPDATE gateway_spendalert a SET rearmed_at = %(now)s
  FROM standing s
 WHERE a.organization_id = s.organization_id AND a.limit_id = s.limit_id AND a.window_start = s.start
   AND a.rearmed_at IS NULL AND a.amount < s.amount AND s.spent * 10000 < s.amount * a.threshold
"""


def crossings(now: datetime.datetime) -> list[Crossing]:
    """Thresholds that are reached and not told of in the windows that `now` lies in, of all organizations."""
    with connection.cursor() as cursor:
        cursor.execute(_STANDINGS + _CROSSED, _windows(now) | {"thresholds": list(THRESHOLDS)})
        rows = cursor.fetchall()
    return [_crossing(*row) for row in rows]


def rearm(now: datetime.datetime) -> int:
    """Has thresholds told of again that are out of reach since their limits were raised; how many these are.

    Only raising does it: a bill that is corrected downwards does not make a threshold news again.
    """
    with connection.cursor() as cursor:
        cursor.execute(_STANDINGS + _REARM, _windows(now))
        return cursor.rowcount


def spent(organization: Organization, now: datetime.datetime) -> dict[str, Decimal]:
    """US dollars in the window that `now` lies in, by the id of the limit, for those of more than nothing."""
    with connection.cursor() as cursor:
        cursor.execute(_STANDINGS + _SPENT, _windows(now) | {"only": organization.pk})
        rows = cursor.fetchall()
    return {limit_id: Decimal(sum) for limit_id, sum in rows}


def fullest(organization: Organization, now: datetime.datetime, most: int) -> dict[str, Decimal]:
    """As `spent`, of as many as `most` of which the largest part is used, the fullest first."""
    with connection.cursor() as cursor:
        cursor.execute(_STANDINGS + _FULLEST, _windows(now) | {"only": organization.pk, "most": most})
        rows = cursor.fetchall()
    return {limit_id: Decimal(sum) for limit_id, sum in rows}


def _crossing(
    organization_id: str, limit_id: str, scope: str, scope_id: str, period: str, *rest: Any
) -> Crossing:
    return Crossing(organization_id, limit_id, scope, scope_id, Period(period), *rest)


def _windows(now: datetime.datetime) -> dict[str, object]:
    starts: dict[str, object] = {value: Period(value).start(now) for value in Period.values}
    return starts | {"now": now, "only": None}
