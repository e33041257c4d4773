"""What organizations paid ahead, and what is left of it."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence
from decimal import Decimal

from django.db import connection
from django.db.models import QuerySet

from admin_api.money import cents
from gateway.models import CreditEntry, Organization


@dataclasses.dataclass(frozen=True)
class Credit:
    """`granted` is the sum of all entries in US cents, `spent` US dollars since `prepaid_since`; both to date.

    An organization that is not prepaid spends nothing of its credit.
    """

    prepaid_since: datetime.datetime | None
    granted: int
    spent: Decimal

    @property
    def balance(self) -> Decimal:
        """US cents, with what is less than a cent; below zero by what was in flight when the credit ran out."""
        return self.granted - cents(self.spent)


# Days are whole from the first midnight on; what came before that on the day it began is in the minutes.
_SQL = """
SELECT o.id, o.prepaid_since,
       (SELECT coalesce(sum(c.amount), 0)::bigint FROM credit_entry c WHERE c.organization_id = o.id),
       CASE WHEN o.prepaid_since IS NULL THEN 0 ELSE
         (SELECT coalesce(sum(d.cost), 0) FROM usage_day d
           WHERE d.organization_id = o.id AND d.bucket >= o.prepaid_since)
         + (SELECT coalesce(sum(m.cost), 0) FROM usage_minute m
             WHERE m.organization_id = o.id AND m.bucket >= o.prepaid_since
               AND m.bucket < date_bin('1 day', o.prepaid_since - interval '1 microsecond', 'epoch') + interval '1 day')
       END
  FROM gateway_organization o
 WHERE {which}
"""


def credit(organization: Organization) -> Credit:
    """As it is now; one query."""
    return _credits("o.id = %s", organization.id)[str(organization.id)]


def prepaid() -> dict[str, Credit]:
    """Of every organization that pays ahead, by its id; one query."""
    return _credits("o.prepaid_since IS NOT NULL AND o.suspended_at IS NULL")


def credit_entries(organization: Organization) -> QuerySet[CreditEntry]:
    return CreditEntry.objects.filter(organization_id=organization.id)


def _credits(which: str, *arguments: object) -> dict[str, Credit]:
    with connection.cursor() as cursor:
        cursor.execute(_SQL.format(which=which), arguments)
        rows: Sequence[tuple[object, datetime.datetime | None, int, Decimal]] = cursor.fetchall()
    return {str(id): Credit(since, granted, Decimal(spent)) for id, since, granted, spent in rows}
