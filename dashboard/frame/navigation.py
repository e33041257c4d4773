"""The pages that exist, in the order of the navigation: one line each."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

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


MONEY = frozenset({Membership.Role.ADMIN, Membership.Role.DEVELOPER, Membership.Role.BILLING})
WORK_HERE = frozenset(set(Membership.Role) - {Membership.Role.BILLING})
MAKE_KEYS = frozenset({Membership.Role.ADMIN, Membership.Role.DEVELOPER})
KEY_PAGES = frozenset(
    {"api_key", "create_api_key", "edit_api_key", "rotate_api_key", "archive_api_key", "find_api_key"}
)

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
BATCH_PAGES = frozenset({"batch", "batch_item", "new_batch", "batch_again"})

SETTINGS = frozenset(
    {
        "authenticator",
        "change_password",
        "delete_webhook",
        "new_passkey",
        "new_webhook",
        "new_webhook_secret",
        "organization_settings",
        "recovery_codes",
        "remove_second_factor",
        "security",
        "webhook",
        "webhooks",
    }
)

ENTRIES = (
    Entry("Overview", "overview", "chart", "o"),
    Entry("Usage", "usage", "usage", "u", pages=frozenset({"ask_for_budget"})),
    Entry(
        "Cost",
        "cost",
        "cost",
        "c",
        roles=MONEY,
        pages=frozenset({"new_budget", "budget", "budget_request"}),
    ),
    Entry("Limits", "limits", "limits", "l"),
    Entry("API keys", "api_keys", "key", "k", roles=MAKE_KEYS, pages=KEY_PAGES),
    Entry("Workspaces", "workspaces", "workspaces", "w", roles=READ_PEOPLE, pages=WORKSPACE_PAGES),
    Entry("Members", "members", "members", "m", roles=READ_PEOPLE, pages=MEMBER_PAGES),
    Entry("Batches", "batches", "layers", "b", roles=WORK_HERE, pages=BATCH_PAGES),
    Entry("Logs", "logs", "logs", "r", roles=WORK_HERE, pages=frozenset({"log"})),
    Entry("Playground", "playground", "playground", "p", roles=WORK_HERE),
    Entry(
        "Models & providers",
        "catalog",
        "models",
        "v",
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
    Entry("Settings", "settings", "settings", "s", pages=SETTINGS, shared=True),
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


def entries_for(role: str | None, also: Collection[str] = (), *, operator: bool = False) -> list[Entry]:
    """In their order. `role` is None for who belongs to no organization; `also` are the URL names of pages that
    somebody sees whatever their role is."""
    return [one for one in ENTRIES if _is_for(one, role) or one.url in also or (operator and one.shared)]


def _is_for(entry: Entry, role: str | None) -> bool:
    return role is not None and (not entry.roles or role in entry.roles)
