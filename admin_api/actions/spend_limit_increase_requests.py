"""Ask for a higher spend limit on behalf of a member, and approve or deny what was asked."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import transaction
from django.utils import timezone

from admin_api import audit, notices
from admin_api.actions import spend_limits
from admin_api.actor import Actor
from gateway.errors import Conflict, InvalidRequest, NotFound
from gateway.models import Membership, Organization, SpendLimit, SpendLimitIncreaseRequest

Status = SpendLimitIncreaseRequest.Status


@transaction.atomic
def create(
    *, actor: Actor, membership: Membership, period: str, reason: str = ""
) -> SpendLimitIncreaseRequest:
    """A pending request, of which admins get a mail.

    Raises `Conflict` where one of this member and period is pending already.
    """
    spend_limits.check_period(period)
    _hold(membership.organization_id)
    if not Membership.objects.filter(pk=membership.pk).exists():
        raise NotFound("User not found.")
    asked = {"organization": membership.organization, "user": membership.user, "period": period}
    if SpendLimitIncreaseRequest.objects.filter(status=Status.PENDING, **asked).exists():
        raise Conflict(f"user_id: a {period} request of this member is pending already")
    made = SpendLimitIncreaseRequest.objects.create(reason=reason, **asked)
    _record(actor, "spend_limit_increase_request.created", made, {"new": Status.PENDING})
    notices.increase_asked(made)
    return made


@transaction.atomic
def approve(
    *,
    actor: Actor,
    request: SpendLimitIncreaseRequest,
    amount: int,
    period: str | None = None,
    notify: bool = True,
) -> tuple[SpendLimitIncreaseRequest, SpendLimit]:
    """Gives the member a limit of their own: `amount` US cents in the period asked for, unless told another.

    The member gets a mail, unless `notify` is False. Raises `Conflict` where the request is decided.
    """
    held = _held(request)
    if held.status != Status.PENDING:
        raise Conflict(f"This request has been {held.status} already.")
    written = spend_limits.write(
        organization=held.organization, user=held.user, period=period or held.period, amount=amount
    )
    _resolve(actor, held, Status.APPROVED)
    details = {
        "old": None if written.old is None else str(written.old),
        "new": str(amount),
        "limit_period": written.row.period,
        "spend_limit_id": written.row.id,
    }
    _record(actor, "spend_limit_increase_request.approved", held, details)
    if notify:
        notices.increase_decided(held, written.row)
    return held, written.row


@transaction.atomic
def deny(
    *, actor: Actor, request: SpendLimitIncreaseRequest, notify: bool = True
) -> SpendLimitIncreaseRequest:
    """Changes no limit; the member gets a mail as in `approve`.

    What is denied stays so; raises `InvalidRequest` for what is approved.
    """
    held = _held(request)
    if held.status == Status.APPROVED:
        raise InvalidRequest("This request has been approved already and cannot be denied.")
    if held.status == Status.PENDING:
        _resolve(actor, held, Status.DENIED)
        change = {"old": Status.PENDING, "new": Status.DENIED}
        _record(actor, "spend_limit_increase_request.denied", held, change)
        if notify:
            notices.increase_decided(held, None)
    return held


def _held(request: SpendLimitIncreaseRequest) -> SpendLimitIncreaseRequest:
    """The row as it is now, while no other one of the organization can change."""
    _hold(request.organization_id)
    rows = SpendLimitIncreaseRequest.objects.select_related("user", "organization")
    held = rows.filter(pk=request.pk).first()
    if held is None:
        raise NotFound("Spend limit increase request not found.")
    return held


def _hold(organization_id: object) -> None:
    Organization.objects.select_for_update(no_key=True).get(pk=organization_id)


def _resolve(actor: Actor, held: SpendLimitIncreaseRequest, status: str) -> None:
    held.status, held.resolved_at = status, timezone.now()
    held.resolved_by_type, held.resolved_by_id = actor.type, actor.id
    held.save(update_fields=["status", "resolved_at", "resolved_by_type", "resolved_by_id"])


def _record(
    actor: Actor, action: str, request: SpendLimitIncreaseRequest, details: Mapping[str, object]
) -> None:
    audit.record(
        actor=actor,
        action=action,
        target_type="spend_limit_increase_request",
        target_id=request.id,
        organization_id=request.organization_id,
        details={"user_id": request.user_id, "period": request.period, **details},
    )
