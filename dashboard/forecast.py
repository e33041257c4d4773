"""What a month will have cost if it goes on as in the last days."""

from __future__ import annotations

import dataclasses
import datetime
from decimal import Decimal

from django.db import connection

from admin_api.queries.sums import Question, total
from gateway.metering.reports import Width, ceiling
from gateway.models import Organization
from gateway.models.spend_limits import Period

WEEK = datetime.timedelta(days=7)


@dataclasses.dataclass(frozen=True)
class Forecast:
    """US dollars of the month in UTC that is now, as spend limits count: `so_far`, and at its end at `a_day`, the
    mean of the last seven days (of fewer where usage is younger)."""

    so_far: Decimal
    a_day: Decimal
    at_end: Decimal
    end: datetime.datetime


def forecast(organization: Organization, now: datetime.datetime) -> Forecast:
    """Three queries."""
    month = Period("monthly")
    start = month.start(now)
    end, soon = month.end(start), ceiling(now, Width.MINUTE) + datetime.timedelta(minutes=1)
    so_far = total(Question(organization, [start, soon])).cost
    began = max(soon - WEEK, _first_use(organization) or soon)
    measured = max(soon - began, datetime.timedelta(hours=1))
    spent = total(Question(organization, [soon - WEEK, soon])).cost
    a_day = spent * 86_400 / Decimal(int(measured.total_seconds()))
    left = Decimal(max(0, int((end - now).total_seconds())))
    return Forecast(so_far, a_day, so_far + a_day * left / 86_400, end)


def _first_use(organization: Organization) -> datetime.datetime | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT min(bucket) FROM usage_day WHERE organization_id = %s", [organization.id])
        first: datetime.datetime | None = cursor.fetchone()[0]
    return first
