"""What an organization asks of its members' sessions, and which of it a session does not keep.

Sessions open the dashboard and the Admin API. Keys have rules of their own and none of these.
"""

from __future__ import annotations

import datetime
import enum

from django.utils import timezone

from admin_api.queries.second_factors import has_second_factor
from gateway.models import Organization, User
from gateway.principal import may_come_from, networks_of


class Broken(enum.Enum):
    ADDRESS = "This organization cannot be reached from your network."
    AGE = "This organization asks you to sign in again."
    SECOND_FACTOR = "This organization asks for a second factor. Set one up in the dashboard."


def broken_rule(
    organization: Organization, user: User, *, address: str, signed_in_at: float | None
) -> Broken | None:
    """The first rule that this session breaks; `signed_in_at` in seconds since 1970. No query where there are none."""
    if not may_come_from(networks_of(organization.dashboard_ips), address):
        return Broken.ADDRESS
    if organization.session_hours is not None and not _younger(signed_in_at, organization.session_hours):
        return Broken.AGE
    if organization.require_second_factor and not has_second_factor(user):
        return Broken.SECOND_FACTOR
    return None


def _younger(signed_in_at: float | None, hours: int) -> bool:
    age = timezone.now().timestamp() - (signed_in_at or 0)
    return age < datetime.timedelta(hours=hours).total_seconds()
