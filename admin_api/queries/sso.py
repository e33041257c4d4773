"""Identity providers of organizations, and whom they may let in where."""

from __future__ import annotations

import uuid
from collections.abc import Collection

from allauth.socialaccount.models import SocialAccount
from django.db.models import QuerySet

from admin_api.sso_domains import domain_of
from gateway.models import Membership, Organization, SsoConnection, User

Role = Membership.Role


def connection_of(organization: Organization) -> SsoConnection | None:
    return SsoConnection.objects.filter(organization=organization).first()


def connections_on() -> QuerySet[SsoConnection]:
    """Those that people come through, of organizations that are served."""
    rows = SsoConnection.objects.filter(state=SsoConnection.State.ON, organization__suspended_at=None)
    return rows.select_related("organization")


def connection_for(email: str) -> SsoConnection | None:
    """The one that has the domain of this address."""
    return connections_on().filter(domains__name=domain_of(email)).first()


def opened_by(connections: Collection[tuple[str, int]]) -> frozenset[uuid.UUID]:
    """The organizations that who came through these connections (ids, with versions) may see; not any more once a
    connection was turned off or changed.
    """
    rows = connections_on().filter(id__in=[id for id, _ in connections])
    return frozenset(row.organization_id for row in rows if (row.id, row.version) in connections)


def came_through_sso(organization: Organization, user_ids: Collection[str]) -> frozenset[str]:
    """Those of these users who signed in through the organization's provider before."""
    connections = SsoConnection.objects.filter(organization=organization).values("id")
    found = SocialAccount.objects.filter(provider__in=connections, user_id__in=user_ids)
    return frozenset(found.values_list("user_id", flat=True))


def may_break_glass(organization: Organization, user: User) -> bool:
    """Whether this admin may come with a password though single sign-on is required."""
    named = SsoConnection.objects.filter(organization=organization, break_glass=user)
    admin = Membership.objects.filter(organization=organization, user=user, role=Role.ADMIN)
    return named.exists() and admin.exists()


def admins_with_password(organization: Organization) -> list[User]:
    """Who could get in without the provider."""
    rows = Membership.objects.filter(organization=organization, role=Role.ADMIN, user__is_active=True)
    found = [one.user for one in rows.select_related("user").order_by("user__email")]
    return [user for user in found if user.has_usable_password()]
