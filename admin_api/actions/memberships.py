"""Bring people into organizations."""

from __future__ import annotations

from django.db import transaction

from admin_api import audit
from admin_api.actor import Actor
from gateway.errors import InvalidRequest
from gateway.models import Membership, Organization, User


@transaction.atomic
def add(*, actor: Actor, organization: Organization, user: User, role: str) -> Membership:
    """Makes a user a member; whoever is one already keeps the role they have."""
    check_role(role)
    membership, added = Membership.objects.get_or_create(
        organization=organization, user=user, defaults={"role": role}
    )
    if added:
        audit.record(
            actor=actor,
            action="membership.added",
            target_type="user",
            target_id=user.id,
            organization_id=organization.id,
            details={"role": role},
        )
    return membership


def check_role(role: str) -> None:
    if role not in Membership.Role.values:
        raise InvalidRequest(
            f"role: {role!r} is unknown; expected one of {', '.join(sorted(Membership.Role.values))}"
        )
