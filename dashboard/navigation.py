"""The pages that exist, in the order of the navigation: one line each."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Entry:
    """`url` names the URL pattern, `icon` a drawing of `cotton/icon.html`; empty `roles` means everybody."""

    label: str
    url: str
    icon: str
    roles: frozenset[str] = frozenset()


ENTRIES = (
    Entry("Overview", "overview", "chart"),
    Entry("Quickstart", "quickstart", "terminal"),
)


def entries_for(role: str) -> list[Entry]:
    return [entry for entry in ENTRIES if not entry.roles or role in entry.roles]
