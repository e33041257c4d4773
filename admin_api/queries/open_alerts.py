"""What an organization should know of: thresholds of spend that are reached now, and news that is not delivered."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable

from django.db.models import Q

from gateway.models import Mail, Organization, SpendAlert, SpendLimit, WebhookDelivery, WebhookEndpoint
from gateway.models.deliveries import Delivery
from gateway.models.spend_limits import Period

LATE = 3  # attempts after which a delivery is failing
LOOKED_BACK = datetime.timedelta(days=1)


@dataclasses.dataclass(frozen=True)
class Reached:
    """`threshold` percent of a limit are spent in the window that now is; without a limit, of the prepaid credit."""

    threshold: int
    amount: int
    limit: SpendLimit | None


@dataclasses.dataclass(frozen=True)
class Undelivered:
    """`endpoints` were disabled because they failed; the others are deliveries of the last day, given up or late."""

    endpoints: int
    webhooks: int
    mails: int

    def __bool__(self) -> bool:
        return bool(self.endpoints or self.webhooks or self.mails)


def reached(organization: Organization, now: datetime.datetime) -> list[Reached]:
    """The highest threshold of each limit, the fullest first. At most two queries."""
    starts = {Period(value): Period(value).start(now) for value in Period.values}
    alerts = SpendAlert.objects.filter(organization=organization, rearmed_at=None).filter(
        Q(window_start__in=starts.values()) | Q(limit_id="", window_start=organization.prepaid_since)
    )
    highest: dict[str, SpendAlert] = {}
    for alert in alerts.order_by("threshold"):
        highest[alert.limit_id] = alert
    limits = _limits(organization, highest)
    found = []
    for id, alert in highest.items():
        limit = limits.get(id)
        if not id or (limit is not None and starts[Period(limit.period)] == alert.window_start):
            found.append(Reached(alert.threshold, alert.amount, limit))
    return sorted(found, key=lambda one: -one.threshold)


def undelivered(organization: Organization, now: datetime.datetime) -> Undelivered:
    """Three queries."""
    failing = Q(state=Delivery.State.FAILED) | Q(state=Delivery.State.PENDING, attempts__gte=LATE)
    recent = Q(created_at__gte=now - LOOKED_BACK)
    endpoints = WebhookEndpoint.objects.filter(organization=organization).exclude(disabled_reason="")
    webhooks = WebhookDelivery.objects.filter(failing, recent, endpoint__organization=organization)
    mails = Mail.objects.filter(failing, recent, organization=organization)
    return Undelivered(endpoints.count(), webhooks.count(), mails.count())


def _limits(organization: Organization, ids: Iterable[str]) -> dict[str, SpendLimit]:
    wanted = [id for id in ids if id]
    if not wanted:
        return {}
    found = SpendLimit.objects.filter(organization=organization, id__in=wanted, amount__isnull=False)
    return {limit.id: limit for limit in found.select_related("workspace", "user", "api_key")}
