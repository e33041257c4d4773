"""How much of their credit prepaid organizations have used, and which thresholds nobody was told of yet."""

from __future__ import annotations

import datetime

from admin_api.money import cents
from admin_api.queries.credit import Credit, prepaid
from admin_api.queries.spend_standings import Crossing
from gateway.models import SpendAlert

THRESHOLDS = (80, 100)  # percent of what was granted


def credit_crossings() -> list[Crossing]:
    """Of all organizations; two queries."""
    credits = prepaid()
    told = {
        (str(alert.organization_id), alert.window_start, alert.threshold) for alert in _live_alerts(credits)
    }
    return [
        Crossing(id, "", "credit", id, None, since, threshold, credit.granted, credit.spent)
        for id, credit in sorted(credits.items())
        if (since := credit.prepaid_since) is not None
        for threshold in THRESHOLDS
        if _reached(credit, threshold) and (id, since, threshold) not in told
    ]


def rearm_credit(now: datetime.datetime) -> int:
    """As `spend_standings.rearm`, for thresholds that are out of reach since more was granted."""
    credits = prepaid()
    out_of_reach = [
        alert.pk
        for alert in _live_alerts(credits)
        if (credit := credits[str(alert.organization_id)]).prepaid_since == alert.window_start
        and alert.amount < credit.granted
        and not _reached(credit, alert.threshold)
    ]
    return SpendAlert.objects.filter(pk__in=out_of_reach).update(rearmed_at=now)


def _reached(credit: Credit, threshold: int) -> bool:
    return credit.granted > 0 and cents(credit.spent) * 100 >= credit.granted * threshold


def _live_alerts(credits: dict[str, Credit]) -> list[SpendAlert]:
    found = SpendAlert.objects.filter(organization__in=credits, limit_id="", rearmed_at=None)
    return list(found)
