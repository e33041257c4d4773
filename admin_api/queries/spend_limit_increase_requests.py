"""Requests of members for higher spend limits, with what is needed to decide about them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from django.db.models import Exists, OuterRef, QuerySet

from admin_api.queries.spend_summaries import SpendSummary, spend_summaries
from gateway.models import Membership, Organization, SpendLimit, SpendLimitIncreaseRequest, User

Status = SpendLimitIncreaseRequest.Status


@dataclasses.dataclass(frozen=True)
class Petition:
    """A request as it is shown. `summary` is about the member now, `resolver` the person who decided; either may
    be None, the resolver also where their account is gone.
    """

    row: SpendLimitIncreaseRequest
    summary: SpendSummary | None
    resolver: User | None


@dataclasses.dataclass(frozen=True)
class Approval(Petition):
    """Just approved: `limit` is what the member has now, `summary` what is spent of it."""

    limit: SpendLimit


def increase_requests(
    organization: Organization, *, statuses: Sequence[str] = (), user_ids: Sequence[str] = ()
) -> QuerySet[SpendLimitIncreaseRequest]:
    """Those of members; who has left the organization asks for nothing any more."""
    membership = Membership.objects.filter(organization=organization, user=OuterRef("user"))
    found = SpendLimitIncreaseRequest.objects.filter(Exists(membership), organization=organization)
    if statuses:
        found = found.filter(status__in=statuses)
    if user_ids:
        found = found.filter(user__in=user_ids)
    return found.select_related("user")


def petitions(organization: Organization, rows: Sequence[SpendLimitIncreaseRequest]) -> list[Petition]:
    """The same rows in the same order, pending ones with a summary. At most three queries."""
    summaries = _summaries(organization, [row for row in rows if row.status == Status.PENDING])
    resolvers = _resolvers(rows)
    return [Petition(row, summaries.get(row.id), resolvers.get(row.resolved_by_id)) for row in rows]


def _summaries(
    organization: Organization, pending: Sequence[SpendLimitIncreaseRequest]
) -> dict[str, SpendSummary]:
    """By the id of the request."""
    if not pending:
        return {}
    users = {row.user_id: row.user for row in pending}
    periods = {row.period for row in pending}
    found = spend_summaries(organization, list(users.values()), periods=periods)
    by_place = {(summary.user.id, summary.limit.period): summary for summary in found}
    places = {row.id: (row.user_id, row.period) for row in pending}
    return {id: by_place[place] for id, place in places.items() if place in by_place}


def _resolvers(rows: Iterable[SpendLimitIncreaseRequest]) -> dict[str, User]:
    ids = {row.resolved_by_id for row in rows if row.resolved_by_type == "user"}
    return User.objects.in_bulk(ids) if ids else {}
