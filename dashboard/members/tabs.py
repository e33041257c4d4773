"""What the pages of members, invitations and service accounts share: who opens them, and the tabs above."""

from __future__ import annotations

from admin_api.queries.invites import invites
from dashboard.frame.place import Place
from gateway.models import Membership

ADMIN, READERS = Membership.Role.ADMIN, (Membership.Role.ADMIN, Membership.Role.DEVELOPER)


def tabs(place: Place) -> dict[str, object]:
    """What the tabs of these pages show beside their names."""
    return {"pending": invites(place.organization, statuses=["pending"]).count()}
