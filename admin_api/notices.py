"""Mails that nobody waits for: written as rows where the change is made, sent by a worker (`mail_delivery.py`)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from decimal import Decimal

from django.conf import settings

from admin_api import mail
from admin_api.queries.alert_readers import ADMINS, Readers, addresses_of
from admin_api.queries.spend_standings import Crossing
from gateway.models import Mail, SpendLimit, SpendLimitIncreaseRequest
from gateway.models.spend_limits import Period

LIMIT = """\
{whose} has spent {spent} of {amount} since {since} UTC: {threshold} % of the {period} spend limit.

{then}

{link}
"""
CREDIT = """\
{organization} has used {spent} of {amount} that were paid ahead: {threshold} %.

{then}

{link}
"""
# Not only at 100 %: what is left may be too little for any request long before.
_TOO_DEAR = "Requests that may cost more than is left are refused."
ASKED = """\
{member} asks for a higher {period} spend limit in {organization}.

Reason: {reason}

Approve or deny it on the page Cost of the dashboard, or the request {id} over the Admin API.

{link}
"""
APPROVED = (
    "Your request for a higher spend limit in {organization} was approved: {amount} {period} from now on.\n"
)
DENIED = "Your request for a higher {period} spend limit in {organization} was denied.\n"


@dataclasses.dataclass(frozen=True)
class Notice:
    """A mail to one person."""

    organization_id: str
    address: str
    subject: str
    text: str


def write(notices: Iterable[Notice]) -> None:
    """None where no mail leaves here: nothing piles up for the day on which it does."""
    if mail.leaves():
        Mail.objects.bulk_create(
            Mail(
                organization_id=one.organization_id,
                recipient=one.address,
                subject=mail.one_line(one.subject)[:300],
                text=one.text,
            )
            for one in notices
        )


def of_crossing(one: Crossing, readers: Readers) -> tuple[str, str]:
    """Subject and text."""
    organization = mail.one_line(readers.organizations[one.organization_id])
    told = {
        "organization": organization,
        "whose": _whose(one, organization, readers),
        "spent": _dollars(one.spent),
        "amount": _dollars(Decimal(one.amount) / 100),
        "threshold": one.threshold,
        "since": f"{one.window_start:%Y-%m-%d %H:%M}",
        "link": settings.CONFIGURATION.base_url,
    }
    if one.period is None:
        then = "Requests are refused until more is paid." if one.threshold >= 100 else _TOO_DEAR
        return f"{one.threshold} % of the credit of {organization} used", CREDIT.format(then=then, **told)
    resets = f"{one.period.end(one.window_start):%Y-%m-%d %H:%M}"
    then = (_ALL_REFUSED if one.threshold >= 100 else _SOME_REFUSED).format(resets=resets)
    subject = f"{one.threshold} % of the {one.period.value} spend limit of {told['whose']} reached"
    return subject, LIMIT.format(then=then, period=one.period.value, **told)


_ALL_REFUSED = "Requests that it covers are refused until it begins anew, at {resets} UTC."
_SOME_REFUSED = f"{_TOO_DEAR} The limit begins anew at {{resets}} UTC."


def _whose(one: Crossing, organization: str, readers: Readers) -> str:
    if one.scope == "organization" or one.period is None:
        return organization
    kind = {"workspace": "Workspace", "user": "Member", "api_key": "Key"}[one.scope]
    return f"{kind} {mail.one_line(readers.names.get(one.scope_id, one.scope_id))} of {organization}"


def _dollars(amount: Decimal) -> str:
    return f"${amount:,.2f}"


def increase_asked(request: SpendLimitIncreaseRequest) -> None:
    """To the organization's admins."""
    organization = mail.one_line(request.organization.name)
    member = mail.one_line(request.user.name or request.user.email)
    text = ASKED.format(
        member=f"{member} ({request.user.email})",
        period=request.period,
        organization=organization,
        reason=request.reason or "none given",
        id=request.id,
        link=settings.CONFIGURATION.base_url,
    )
    subject = f"{member} asks for a higher spend limit in {organization}"
    id = str(request.organization_id)
    write(Notice(id, address, subject, text) for address in addresses_of([id], ADMINS).get(id, []))


def increase_decided(request: SpendLimitIncreaseRequest, limit: SpendLimit | None) -> None:
    """To the member; `limit` is what they have now, None where the request was denied."""
    organization = mail.one_line(request.organization.name)
    if limit is None:
        text = DENIED.format(period=request.period, organization=organization)
    else:
        amount = _dollars(Decimal(limit.amount or 0) / 100)
        text = APPROVED.format(organization=organization, amount=amount, period=Period(limit.period).value)
    verdict = "denied" if limit is None else "approved"
    subject = f"Your request for a higher spend limit in {organization} was {verdict}"
    if request.user.is_active:
        write([Notice(str(request.organization_id), request.user.email, subject, text)])
