"""The pages that exist, in the order of the navigation: one line each."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

from gateway.models import Membership


@dataclasses.dataclass(frozen=True)
class Entry:
    """`url` names the URL pattern, `icon` a drawing of `cotton/icon.html`; empty `roles` means everybody.

    `pages` are the URL patterns of what stands below it; `letter` leads here after a `g`.
    """

    label: str
    url: str
    icon: str
    letter: str
    roles: frozenset[str] = frozenset()
    pages: frozenset[str] = frozenset()


WORK_HERE = frozenset(set(Membership.Role) - {Membership.Role.BILLING})

READ_PEOPLE = frozenset({Membership.Role.ADMIN, Membership.Role.DEVELOPER})
WORKSPACE_PAGES = frozenset(
    {
        "workspace",
        "create_workspace",
        "archive_workspace",
        "workspace_members",
        "workspace_limits",
        "workspace_keys",
        "workspace_spend",
    }
)
MEMBER_PAGES = frozenset(
    {
        "member",
        "remove_member",
        "member_invites",
        "invite_people",
        "service_accounts",
        "service_account",
        "create_service_account",
        "archive_service_account",
    }
)

ENTRIES = (
    Entry("Overview", "overview", "chart", "o"),
    Entry("Workspaces", "workspaces", "rooms", "w", roles=READ_PEOPLE, pages=WORKSPACE_PAGES),
    Entry("Members", "members", "people", "m", roles=READ_PEOPLE, pages=MEMBER_PAGES),
    Entry("Batches", "batches", "layers", "b", roles=WORK_HERE, pages=frozenset({"batch"})),
    Entry("Quickstart", "quickstart", "terminal", "q"),
)


def entries_for(role: str, also: Collection[str] = ()) -> list[Entry]:
    """In their order; `also` are the URL names of pages that somebody sees whatever their role is."""
    return [entry for entry in ENTRIES if not entry.roles or role in entry.roles or entry.url in also]
