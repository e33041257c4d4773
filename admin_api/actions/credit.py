"""Let organizations pay ahead, and change what they have left. For operators."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import transaction
from django.utils import timezone

from admin_api import audit
from admin_api.actor import Actor
from admin_api.changes import shown
from admin_api.money import cents
from admin_api.queries.credit import credit
from gateway.directory import publish
from gateway.errors import InvalidRequest
from gateway.models import CreditEntry, Organization

LARGEST = 10**15 - 1  # US cents
LONGEST_NOTE = 1000
SPENT = "Spent while prepaid"


@transaction.atomic
def adjust(*, actor: Actor, organization: Organization, amount: int, note: str = "") -> CreditEntry:
    """Adds `amount` US cents, or takes them when it is negative; also where the organization is not prepaid yet."""
    if amount == 0 or not -LARGEST <= amount <= LARGEST:
        raise InvalidRequest(f"amount: expected whole cents from -{LARGEST} to {LARGEST}, other than 0")
    if len(note) > LONGEST_NOTE:
        raise InvalidRequest(f"note: expected at most {LONGEST_NOTE} characters")
    _held(organization)
    entry = _entry(actor, organization, amount, note)
    _record(
        actor,
        "credit.adjusted",
        organization,
        {"credit_entry_id": entry.id, "amount": str(amount), "note": note},
    )
    return entry


@transaction.atomic
def begin(*, actor: Actor, organization: Organization) -> Organization:
    """What is used from this minute on is taken from the credit, and refused once that is empty."""
    held = _held(organization)
    if held.prepaid_since is None:
        held.prepaid_since = timezone.now().replace(second=0, microsecond=0)
        held.save(update_fields=["prepaid_since"])
        _record(actor, "organization.prepaid_begun", held, {"credit": str(credit(held).granted)})
    return held


@transaction.atomic
def end(*, actor: Actor, organization: Organization) -> Organization:
    """Nothing is taken any more. What was spent becomes an entry in whole cents, so that the rest is kept."""
    held = _held(organization)
    if held.prepaid_since is None:
        return held
    left = credit(held)
    if spent := round(cents(left.spent)):
        _entry(actor, held, -spent, f"{SPENT} since {left.prepaid_since:%Y-%m-%d %H:%M} UTC")
    held.prepaid_since = None
    held.save(update_fields=["prepaid_since"])
    _record(actor, "organization.prepaid_ended", held, {"spent": shown(cents(left.spent))})
    return held


def _held(organization: Organization) -> Organization:
    rows = Organization.objects.select_for_update(of=("self",), no_key=True).select_related("tier")
    return rows.get(pk=organization.pk)


def _entry(actor: Actor, organization: Organization, amount: int, note: str) -> CreditEntry:
    return CreditEntry.objects.create(
        organization_id=organization.pk, amount=amount, note=note, actor_type=actor.type, actor_id=actor.id
    )


def _record(actor: Actor, action: str, organization: Organization, details: Mapping[str, object]) -> None:
    audit.record(
        actor=actor,
        action=action,
        target_type="organization",
        target_id=str(organization.pk),
        organization_id=organization.pk,
        details=details,
    )
    publish.organization_changed(organization.pk)
