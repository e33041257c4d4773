"""The pages that exist, in the order of the navigation: one line each."""

from __future__ import annotations

import dataclasses

from gateway.models import Membership


@dataclasses.dataclass(frozen=True)
class Entry:
    """`url` names the URL pattern, `icon` a drawing of `cotton/icon.html`; empty `roles` means everybody.

    `pages` are the URL patterns of what stands below it; `letter` leads here after a `g`. Operators see what is
    `shared` whatever their role.
    """

    label: str
    url: str
    icon: str
    letter: str
    roles: frozenset[str] = frozenset()
    pages: frozenset[str] = frozenset()
    shared: bool = False


WORK_HERE = frozenset(set(Membership.Role) - {Membership.Role.BILLING})

ENTRIES = (
    Entry("Overview", "overview", "chart", "o"),
    Entry("Usage", "usage", "usage", "u"),
    Entry("Batches", "batches", "layers", "b", roles=WORK_HERE, pages=frozenset({"batch"})),
    Entry(
        "Models & providers",
        "catalog",
        "models",
        "d",
        roles=frozenset({Membership.Role.ADMIN, Membership.Role.DEVELOPER}),
        pages=frozenset(
            {
                "model",
                "new_model",
                "edit_model",
                "price_model",
                "published_prices",
                "provider",
                "new_provider",
                "edit_provider",
                "provider_check",
            }
        ),
        shared=True,
    ),
    Entry(
        "Audit log",
        "audit_log",
        "audit",
        "a",
        roles=frozenset({Membership.Role.ADMIN}),
        pages=frozenset({"audit_entry", "verify_audit_log"}),
        shared=True,
    ),
    Entry("Quickstart", "quickstart", "terminal", "q"),
)

# Of those who run the installation.
OPERATED = (
    Entry(
        "Organizations",
        "operated_organizations",
        "organizations",
        "n",
        pages=frozenset({"operated_organization", "new_organization", "edit_organization"}),
    ),
    Entry("Tiers", "tiers", "tiers", "t", pages=frozenset({"tier", "new_tier"})),
    Entry("Operator keys", "operator_keys", "key", "e", pages=frozenset({"new_operator_key"})),
)


def entries_for(role: str | None, *, operator: bool = False) -> list[Entry]:
    """`role` is None for who belongs to no organization."""
    return [entry for entry in ENTRIES if _is_for(entry, role) or (operator and entry.shared)]


def _is_for(entry: Entry, role: str | None) -> bool:
    return role is not None and (not entry.roles or role in entry.roles)
