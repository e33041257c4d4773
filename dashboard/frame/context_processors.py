"""What the frame around every page shows; looked up when a template asks, so that plain pages cost nothing."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from django.http import HttpRequest

from admin_api import access
from admin_api.queries.member_workspaces import managed_workspaces
from admin_api.roles import Role
from admin_api.session_proofs import proofs_of
from dashboard.frame import shortcuts, theme
from dashboard.frame.navigation import OPERATED, Entry, entries_for
from dashboard.frame.place import Place, operates, place_of
from gateway.models import Organization, User


def frame(request: HttpRequest) -> dict[str, Frame]:
    """Context processor: `frame` in every template."""
    return {"frame": Frame(request)}


class Frame:
    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    @cached_property
    def theme(self) -> str:
        """`light`, `dark`, or `system`."""
        return theme.chosen(self._request)

    @cached_property
    def shortcuts(self) -> bool:
        """Whether single keys do something."""
        return shortcuts.are_on(self._request)

    @cached_property
    def user(self) -> User | None:
        user = getattr(
            self._request, "user", None
        )  # absent where a request failed before the session was read
        return user if isinstance(user, User) else None

    @cached_property
    def place(self) -> Place | None:
        return place_of(self._request) if self.user else None

    @cached_property
    def organizations(self) -> list[Organization]:
        if self.user is None:
            return []
        among = proofs_of(self._request, self.user).among
        return [one.organization for one in access.memberships_of(self.user, among)]

    @cached_property
    def navigation(self) -> list[Entry]:
        """What whoever is signed in may open; nothing for visitors."""
        if self.user is None:
            return []
        role, also = (self.place.role, self._also(self.place)) if self.place else (None, frozenset[str]())
        return entries_for(role, also, operator=operates(self._request))

    def _also(self, place: Place) -> frozenset[str]:
        """Whoever runs a workspace sees its pages, even where their role in the organization shows none."""
        plain = place.role in (Role.USER, Role.CLAUDE_CODE_USER)
        runs_one = plain and managed_workspaces(place.membership).exists()
        return frozenset({"workspaces"}) if runs_one else frozenset()

    @cached_property
    def operated(self) -> Sequence[Entry]:
        """The pages of who runs the installation."""
        return OPERATED if self.user is not None and operates(self._request) else ()

    @property
    def here(self) -> str:
        """The name of the URL of this page, to mark it in the navigation."""
        match = self._request.resolver_match
        return (match.url_name or "") if match else ""

    @property
    def path(self) -> str:
        """Where to come back to after a change of theme or organization: a page, never the target of a form."""
        return (
            self._request.get_full_path() if self._request.method in ("GET", "HEAD") else self._request.path
        )
