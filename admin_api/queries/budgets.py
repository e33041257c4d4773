"""The spend limits of an organization with all that is shown of them: whose they are, what is spent, who was told."""

from __future__ import annotations

import dataclasses
import datetime
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal

from django.db.models import QuerySet

from admin_api.queries.spend_standings import fullest, spent
from gateway.models import Organization, SpendAlert, SpendLimit
from gateway.models.spend_limits import Period

WHOLE = "Whole organization"


@dataclasses.dataclass(frozen=True)
class Budget:
    """`spent` US dollars since `start`; the window ends at `end`. `told` are the percentages that were told of."""

    limit: SpendLimit
    name: str
    start: datetime.datetime
    end: datetime.datetime
    spent: Decimal
    told: Collection[int]


def budget_limits(organization: Organization) -> QuerySet[SpendLimit]:
    """All of the organization, also those of keys, each with whose it is."""
    found = SpendLimit.objects.filter(organization=organization)
    return found.select_related("workspace", "user", "api_key")


def budgets(organization: Organization, now: datetime.datetime) -> list[Budget]:
    """The organization's own first, then workspaces', members' and keys', each by name. Three queries."""
    limits = list(budget_limits(organization))
    used = spent(organization, now) if limits else {}
    return sorted(_stood(organization, limits, used, now), key=_place)


def fullest_budgets(organization: Organization, now: datetime.datetime, most: int) -> list[Budget]:
    """As many as `most` of which most is used, the fullest first; those without an amount are none of them."""
    used = fullest(organization, now, most)
    limits = budget_limits(organization).in_bulk(list(used))
    return _stood(organization, [limits[id] for id in used if id in limits], used, now)


def _stood(
    organization: Organization,
    limits: Sequence[SpendLimit],
    used: Mapping[str, Decimal],
    now: datetime.datetime,
) -> list[Budget]:
    told = _told(organization, limits, now) if limits else {}
    return [
        budget(
            limit,
            now,
            used.get(limit.id, Decimal(0)),
            told.get((limit.id, Period(limit.period).start(now)), ()),
        )
        for limit in limits
    ]


def budget(
    limit: SpendLimit, now: datetime.datetime, used: Decimal = Decimal(0), told: Collection[int] = ()
) -> Budget:
    period = Period(limit.period)
    start = period.start(now)
    return Budget(limit, _name(limit), start, period.end(start), used, told)


def _told(
    organization: Organization, limits: Sequence[SpendLimit], now: datetime.datetime
) -> dict[tuple[str, datetime.datetime], set[int]]:
    """By limit and window: a day's window may begin with the week's."""
    starts = {period.start(now) for period in map(Period, Period.values)}
    rows = SpendAlert.objects.filter(
        organization=organization,
        limit_id__in=[limit.id for limit in limits],
        window_start__in=starts,
        rearmed_at=None,
    )
    found: dict[tuple[str, datetime.datetime], set[int]] = defaultdict(set)
    for id, threshold, start in rows.values_list("limit_id", "threshold", "window_start"):
        found[id, start].add(threshold)
    return found


def _name(limit: SpendLimit) -> str:
    if limit.workspace is not None:
        return limit.workspace.name
    if limit.user is not None:
        return limit.user.name or limit.user.email
    return limit.api_key.name if limit.api_key is not None else WHOLE


def _place(one: Budget) -> tuple[int, str, int]:
    scopes = ("organization", "workspace", "user", "api_key")
    return scopes.index(one.limit.scope["type"]), one.name, list(Period.values).index(one.limit.period)
