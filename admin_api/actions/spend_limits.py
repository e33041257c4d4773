"""Set and remove what an organization, a workspace or a member may spend within a period."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from django.db import transaction
from django.utils import timezone

from admin_api import audit
from admin_api.actions.workspaces import held_live
from admin_api.actor import Actor
from gateway.directory import publish
from gateway.errors import InvalidRequest, NotFound
from gateway.models import Membership, Organization, SpendLimit, User, Workspace
from gateway.models.spend_limits import Period

LARGEST = 10**15 - 1  # US cents


@dataclasses.dataclass(frozen=True)
class Written:
    """`old` is the amount before, None also where there was no limit: `created` says which."""

    row: SpendLimit
    created: bool
    old: int | None

    @property
    def changed(self) -> bool:
        return self.created or self.old != self.row.amount


@transaction.atomic
def set_amount(
    *,
    actor: Actor,
    organization: Organization,
    period: str,
    amount: int | None,
    workspace: Workspace | None = None,
    user: User | None = None,
) -> SpendLimit:
    """Makes a limit, or changes the one of this scope and period; the scope is what is given, else all.

    `amount` is in US cents; None says aloud that there is no limit. Raises `InvalidRequest` for a workspace that
    is archived, `NotFound` where the user is no member (any more).
    """
    if workspace is not None:
        held_live(workspace)
    written = write(organization=organization, period=period, amount=amount, workspace=workspace, user=user)
    if written.changed:
        details = {"new": _text(amount)} if written.created else _change(written)
        _record(actor, "spend_limit.set", written.row, details)
    return written.row


@transaction.atomic
def remove(*, actor: Actor, spend_limit: SpendLimit) -> None:
    """Ends a limit: what it covered has the one further up, if there is one."""
    _hold(spend_limit.organization_id)
    held = SpendLimit.objects.filter(pk=spend_limit.pk).first()
    if held is None:
        raise NotFound("Spend limit not found.")
    _record(actor, "spend_limit.removed", held, {"old": _text(held.amount)})
    held.delete()
    publish.organization_changed(spend_limit.organization_id)


def write(
    *,
    organization: Organization,
    period: str,
    amount: int | None,
    workspace: Workspace | None = None,
    user: User | None = None,
) -> Written:
    """The row of a scope and period with this amount, for actions that write the audit line themselves.

    No other limit of the organization can change until their transaction ends.
    """
    check_period(period)
    _check_amount(amount)
    _hold(organization.pk)
    _check_member(organization, user)
    row, created = SpendLimit.objects.get_or_create(
        organization=organization,
        workspace=workspace,
        user=user,
        api_key=None,
        period=period,
        defaults={"amount": amount},
    )
    old = None if created else row.amount
    if not created and old != amount:
        row.amount, row.updated_at = amount, timezone.now()
        row.save(update_fields=["amount", "updated_at"])
    written = Written(row, created, old)
    if written.changed:
        publish.organization_changed(organization.pk)
    return written


def _hold(organization_id: object) -> None:
    Organization.objects.select_for_update(no_key=True).get(pk=organization_id)


def check_period(period: str) -> None:
    if period not in Period.values:
        raise InvalidRequest(f"period: {period!r} is unknown; expected one of {', '.join(Period.values)}")


def _check_amount(amount: int | None) -> None:
    if amount is not None and not 0 <= amount <= LARGEST:
        raise InvalidRequest(f"amount: expected whole cents from 0 to {LARGEST}, or null")


def _check_member(organization: Organization, user: User | None) -> None:
    if user is None:
        return
    if not Membership.objects.filter(organization=organization, user=user).exists():
        raise NotFound("User not found.")


def _change(written: Written) -> dict[str, str | None]:
    return {"old": _text(written.old), "new": _text(written.row.amount)}


def _text(amount: int | None) -> str | None:
    return None if amount is None else str(amount)


def _record(actor: Actor, action: str, limit: SpendLimit, details: Mapping[str, object]) -> None:
    audit.record(
        actor=actor,
        action=action,
        target_type="spend_limit",
        target_id=limit.id,
        organization_id=limit.organization_id,
        details={"scope": limit.scope, "period": limit.period, **details},
    )
