"""Which spend limits hold for members, and what is spent of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Sequence
from decimal import Decimal

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from admin_api.queries.member_spend import spend_to_date
from admin_api.queries.members import members
from admin_api.queries.spend_limits import spend_limits
from gateway.models import Membership, Organization, SpendLimit, User
from gateway.models.spend_limits import Period


@dataclasses.dataclass(frozen=True)
class SpendSummary:
    """`limit` is the member's own or the one they inherit; `spend` is in US dollars since its period began."""

    user: User
    limit: SpendLimit
    spend: Decimal


def limited_members(
    organization: Organization, *, user_ids: Sequence[str] = (), periods: Sequence[str] = ()
) -> QuerySet[Membership]:
    """Members for whom any limit holds, own or inherited; with `user_ids` only those among them.

    Others have nothing to show: a page of them would be empty, and clients take an empty page for the last.
    """
    theirs = spend_limits(organization).filter(Q(user=OuterRef("user")) | Q(user=None), workspace=None)
    if periods:
        theirs = theirs.filter(period__in=periods)
    found = members(organization).filter(Exists(theirs))
    return found.filter(user__in=user_ids) if user_ids else found


def spend_summaries(
    organization: Organization, users: Sequence[User], *, periods: Collection[str] = ()
) -> list[SpendSummary]:
    """In the order of `users`, for each by period, as far as a limit holds. Two queries."""
    limits = _limits(organization, users, periods or Period.values)
    limited = {limit.period for limit in limits.values()}
    used = [Period(value) for value in Period.values if value in limited]
    spend = spend_to_date(organization, [user.id for user in users], used, now=timezone.now())
    return [
        SpendSummary(user, limit, spend.get((user.id, period), Decimal(0)))
        for user in users
        for period in used
        if (limit := limits.get((user.id, period)) or limits.get((None, period))) is not None
    ]


def spend_summary(organization: Organization, user: User, period: str) -> SpendSummary | None:
    """Of one member and period, if a limit holds."""
    return next(iter(spend_summaries(organization, [user], periods=[period])), None)


def _limits(
    organization: Organization, users: Iterable[User], periods: Collection[str]
) -> dict[tuple[str | None, str], SpendLimit]:
    """By user and period; those of the organization have no user."""
    found = spend_limits(organization).filter(workspace=None, period__in=periods)
    found = found.filter(Q(user=None) | Q(user__in=[user.id for user in users]))
    return {(limit.user_id, limit.period): limit for limit in found}
