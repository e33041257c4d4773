"""How an organization stands, whatever time is looked at: spend and where it leads, the nearest limit, batches, alerts.

Plain users read what their own keys spent, and nothing of others.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence

from admin_api.money import cents
from admin_api.queries.message_batches import message_batches
from admin_api.queries.open_alerts import Reached, Undelivered, reached, undelivered
from admin_api.queries.own_keys import own_key_ids
from admin_api.queries.recent_spend import RecentSpend, recent_spend
from admin_api.queries.spend_gauges import SpendGauge, spend_gauges
from dashboard.batches.progress import Shown, shown
from dashboard.frame import figures
from dashboard.frame.place import Place
from dashboard.limits import gauges
from dashboard.limits.gauges import LimitGauges
from dashboard.limits.holders import Chosen
from dashboard.limits.money_gauges import HUNDRED
from gateway.models import MessageBatch
from gateway.models.spend_limits import Period

MOST_BATCHES = 3
PERIODS = {"daily": "daily", "weekly": "weekly", "monthly": "monthly"}


@dataclasses.dataclass(frozen=True)
class Figure:
    """`exact` are all digits; `warns` where the note is no good news."""

    label: str
    value: str
    exact: str
    note: str
    warns: bool = False


@dataclasses.dataclass(frozen=True)
class Running:
    batch: MessageBatch
    progress: Shown


@dataclasses.dataclass(frozen=True)
class Alert:
    """`page` is the name of the address where more is told of it, if there is one; `link` what its link says."""

    words: str
    page: str
    link: str


@dataclasses.dataclass(frozen=True)
class Standing:
    figures: list[Figure]
    running: list[Running]
    more_running: int
    alerts: list[Alert]
    refused: int
    own: bool


def read(place: Place, now: datetime.datetime) -> Standing:
    limits = gauges.read(Chosen(place), now)
    batches = list(
        message_batches(place.membership).exclude(status="ended").order_by("-created_at", "-id")[:50]
    )
    return Standing(
        figures=[*_spend(place, now), _nearest(limits)],
        running=[Running(batch, shown(batch, now)) for batch in batches[:MOST_BATCHES]],
        more_running=len(batches) - MOST_BATCHES,
        alerts=_alerts(place, now),
        refused=limits.refused,
        own=not place.sees_all_usage,
    )


def own_keys(place: Place) -> Sequence[str] | None:
    """The only keys that a plain user reads of; None for who reads of all."""
    return None if place.sees_all_usage else own_key_ids(place.membership)


def _spend(place: Place, now: datetime.datetime) -> list[Figure]:
    spent = recent_spend(place.organization, now, own_keys(place))
    holders = {} if place.sees_all_usage else {"user": place.user.id}
    scope = "organization" if place.sees_all_usage else "user"
    limits = {
        one.limit.period: one
        for one in spend_gauges(place.organization, now, holders)
        if one.limit.scope["type"] == scope
    }
    return [
        _of_period("Spend today", spent.today, limits.get(Period.DAILY)),
        _of_period("This month", spent.month, limits.get(Period.MONTHLY)),
        _forecast(spent, limits.get(Period.MONTHLY), now),
    ]


def _of_period(label: str, spent, gauge: SpendGauge | None) -> Figure:  # type: ignore[no-untyped-def]
    note, full = "no limit", False
    if gauge is not None and gauge.limit.amount is not None:
        percent = 100 if not gauge.limit.amount else int(cents(gauge.spent) * 100 / gauge.limit.amount)
        note, full = f"{percent}% of {_dollars(gauge.limit.amount)}", percent >= 80
    return Figure(label, figures.brief_money(spent), figures.exact_money(spent), note, full)


def _forecast(spent: RecentSpend, gauge: SpendGauge | None, now: datetime.datetime) -> Figure:
    last = spent.month_ends_at - datetime.timedelta(days=1)
    label, come_to = f"By {last:%b %-d}", spent.forecast(now)
    if come_to is None:
        return Figure(label, "n/a", "", "after the first full day")
    told = figures.brief_money(come_to), figures.exact_money(come_to.quantize(HUNDRED**-1))
    if gauge is not None and gauge.limit.amount is not None and cents(come_to) > gauge.limit.amount:
        return Figure(label, *told, f"above the limit of {_dollars(gauge.limit.amount)}", True)
    return Figure(label, *told, "if it goes on as in the last 7 days")


def _nearest(limits: LimitGauges) -> Figure:
    """What some minute of the last hour came nearest to."""
    found = limits.highest
    if found is None or found[1].line is None:
        return Figure("Nearest limit", "n/a", "", "nothing was sent in the last hour")
    title, row = found
    line = row.line
    assert line is not None
    note = f"{title}: {row.label.lower()} at {line.peak_at:%H:%M} UTC"
    return Figure("Nearest limit", f"{line.percent}%", line.spoken, note, line.percent >= gauges.HIGH)


def _alerts(place: Place, now: datetime.datetime) -> list[Alert]:
    if not place.sees_all_usage:
        return []
    told = [Alert(_reached(one), "cost", "See Cost") for one in reached(place.organization, now)]
    failing = undelivered(place.organization, now) if place.is_admin else None
    return [*told, *(_undelivered(failing) if failing else [])]


def _reached(alert: Reached) -> str:
    if alert.limit is None:
        return f"{alert.threshold}% of the prepaid credit of {_dollars(alert.amount)} is used."
    return (
        f"{alert.threshold}% of the {PERIODS[alert.limit.period]} limit of {_dollars(alert.amount)} is spent"
        f" by {_whose(alert)}."
    )


def _whose(alert: Reached) -> str:
    limit = alert.limit
    if limit is None or limit.scope["type"] == "organization":
        return "the organization"
    if limit.workspace is not None:
        return f"the workspace {limit.workspace.name}"
    if limit.user is not None:
        return limit.user.name or limit.user.email
    return f"the key {limit.api_key.name}" if limit.api_key is not None else "a key"


def _undelivered(found: Undelivered) -> list[Alert]:
    late = "not delivered in the last day"
    told = (
        (
            found.endpoints,
            "webhook endpoint",
            "disabled because nothing could be delivered there",
            "webhooks",
        ),
        (found.webhooks, "webhook message", late, "webhooks"),
        (found.mails, "mail", late, ""),
    )
    return [
        Alert(_counted(count, noun, what), page, "See webhooks") for count, noun, what, page in told if count
    ]


def _counted(count: int, noun: str, what: str) -> str:
    one = count == 1
    return f"{figures.count(count)} {noun}{'' if one else 's'} {'was' if one else 'were'} {what}."


def _dollars(cents_: int) -> str:
    return figures.money(HUNDRED**-1 * cents_)
