"""What an organization asks of its members' sessions, and which of it a session does not keep.

Sessions open the dashboard and the Admin API. Keys have rules of their own and none of these.
"""

from __future__ import annotations

import datetime
import enum

from django.utils import timezone

from admin_api.queries.second_factors import has_second_factor
from admin_api.queries.sso import may_break_glass, opened_by
from admin_api.session_proofs import Proofs
from gateway.models import Organization, User
from gateway.principal import may_come_from, networks_of


class Broken(enum.Enum):
    ADDRESS = "This organization cannot be reached from your network."
    AGE = "This organization asks you to sign in again."
    SSO = "This organization asks its members to sign in with single sign-on."
    SECOND_FACTOR = "This organization asks for a second factor. Set one up in the dashboard."


def broken_rule(
    organization: Organization,
    user: User,
    *,
    address: str,
    signed_in_at: float | None,
    proofs: Proofs,
) -> Broken | None:
    """The first rule that this session breaks; `signed_in_at` in seconds since 1970. No query where there are none.

    Who came through the organization's provider was asked there for what it asks for, and not for a second factor
    again.
    """
    if not may_come_from(networks_of(organization.dashboard_ips), address):
        return Broken.ADDRESS
    if organization.session_hours is not None and not _younger(signed_in_at, organization.session_hours):
        return Broken.AGE
    if organization.require_sso and not _came_right(organization, user, proofs):
        return Broken.SSO
    if organization.require_second_factor and not proofs.only_sso and not has_second_factor(user):
        return Broken.SECOND_FACTOR
    return None


def _came_right(organization: Organization, user: User, proofs: Proofs) -> bool:
    through = organization.id in opened_by(proofs.connections) if proofs.connections else False
    return through or may_break_glass(organization, user)


def _younger(signed_in_at: float | None, hours: int) -> bool:
    age = timezone.now().timestamp() - (signed_in_at or 0)
    return age < datetime.timedelta(hours=hours).total_seconds()
