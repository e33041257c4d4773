"""The only way from a signed-in user to a tenant's rows: what is absent and what is foreign look the same."""

from __future__ import annotations

import uuid

from gateway.errors import NotFound
from gateway.models import Membership, Organization, User


def memberships_of(user: User) -> list[Membership]:
    """Every organization the user belongs to, by name, each with its tier."""
    mine = Membership.objects.filter(user=user).select_related("organization__tier")
    return list(mine.order_by("organization__name"))


def membership_for(user: User, organization_id: str | uuid.UUID | None = None) -> Membership:
    """The user's place in that organization; without an id, in the one they joined first.

    Raises `NotFound` where the id is malformed, or names no organization, or one of other people.
    """
    mine = Membership.objects.filter(user=user).select_related("organization__tier")
    if organization_id is not None:
        mine = mine.filter(organization_id=_identifier(organization_id))
    membership = mine.order_by("added_at", "id").first()
    if membership is None:
        raise NotFound("Organization not found.")
    return membership


def organization_for(user: User, organization_id: str | uuid.UUID | None = None) -> Organization:
    """As `membership_for`, where the role does not matter."""
    return membership_for(user, organization_id).organization


def _identifier(organization_id: str | uuid.UUID) -> uuid.UUID:
    try:
        return uuid.UUID(str(organization_id))
    except ValueError:
        raise NotFound("Organization not found.") from None
