"""The pages that exist, in the order of the navigation: one line each."""

from __future__ import annotations

import dataclasses

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

ENTRIES = (
    Entry("Overview", "overview", "chart", "o"),
    Entry("Usage", "usage", "usage", "u"),
    Entry("Batches", "batches", "layers", "b", roles=WORK_HERE, pages=frozenset({"batch"})),
    Entry("Logs", "logs", "logs", "l", roles=WORK_HERE, pages=frozenset({"log"})),
    Entry("Quickstart", "quickstart", "terminal", "q"),
)


def entries_for(role: str) -> list[Entry]:
    return [entry for entry in ENTRIES if not entry.roles or role in entry.roles]
