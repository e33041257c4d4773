"""How the spend limits stand that hold for requests of one workspace, one member or one key: two queries."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Collection, Mapping
from decimal import Decimal

from django.db import connection
from django.db.models import Q

from gateway.models import Organization, SpendLimit
from gateway.models.spend_limits import Period

Holder = tuple[str, str]  # a type of scope and the id that goes with it, the organization's for itself


@dataclasses.dataclass(frozen=True)
class SpendGauge:
    """`spent` is in US dollars since the window of the limit's period began; it ends at `ends_at`."""

    limit: SpendLimit
    spent: Decimal
    ends_at: datetime.datetime


# Which rows of `usage_day` are a holder's.
_HOLDS = {
    "organization": "%s::text IS NOT NULL",
    "workspace": "workspace_id = %s",
    "user": "api_key_id IN (SELECT id FROM gateway_apikey WHERE organization_id = usage_day.organization_id"
    " AND user_id = %s)",
    "api_key": "api_key_id = %s",
}


def spend_gauges(
    organization: Organization, now: datetime.datetime, holders: Mapping[str, str]
) -> list[SpendGauge]:
    """Of the organization, and of the `holders` by type; limits of no amount are left out."""
    held = {"organization": str(organization.id), **holders}
    limits = list(_limits(organization, holders))
    wanted = {(_scope(limit), held[_scope(limit)], Period(limit.period)) for limit in limits}
    spent = _spent(organization, now, wanted)
    gauges = []
    for limit in limits:
        scope, period = _scope(limit), Period(limit.period)
        start = period.start(now)
        gauges.append(SpendGauge(limit, spent[scope, held[scope], period], period.end(start)))
    return gauges


def spend_to_date(organization: Organization, now: datetime.datetime, period: Period) -> Decimal:
    """US dollars that the whole organization spent in the window that `now` lies in."""
    key = ("organization", str(organization.id), period)
    return _spent(organization, now, {key})[key]


def _limits(organization: Organization, holders: Mapping[str, str]) -> Collection[SpendLimit]:
    which = Q(workspace=None, user=None, api_key=None)
    for scope, id in holders.items():
        which |= Q(**{scope: id})
    found = SpendLimit.objects.filter(which, organization=organization, amount__isnull=False)
    order = {"organization": 0, "workspace": 1, "user": 2, "api_key": 3}
    periods = list(Period.values)
    return sorted(found, key=lambda limit: (order[_scope(limit)], periods.index(limit.period)))


def _scope(limit: SpendLimit) -> str:
    return limit.scope["type"]


def _spent(
    organization: Organization, now: datetime.datetime, wanted: Collection[tuple[str, str, Period]]
) -> dict[tuple[str, str, Period], Decimal]:
    """Windows begin at midnight in UTC, as the buckets of days do."""
    if not wanted:
        return {}
    asked = list(wanted)
    sums = [
        f"coalesce(sum(cost) FILTER (WHERE bucket >= %s AND {_HOLDS[scope]}), 0)" for scope, _, _ in asked
    ]
    given = [value for _, id, period in asked for value in (period.start(now), id)]
    first = min(period.start(now) for _, _, period in asked)
    sql = f"SELECT {', '.join(sums)} FROM usage_day WHERE organization_id = %s AND bucket >= %s AND bucket <= %s"
    with connection.cursor() as cursor:
        cursor.execute(sql, [*given, organization.id, first, now])
        (found,) = cursor.fetchall()
    return dict(zip(asked, map(Decimal, found), strict=True))
