"""Who is told of an organization's money, and what the things are called that they are told of."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Collection, Mapping

from gateway.models import ApiKey, Membership, Organization, User, Workspace

Role = Membership.Role
MONEY = (Role.ADMIN, Role.BILLING)
ADMINS = (Role.ADMIN,)


@dataclasses.dataclass(frozen=True)
class Readers:
    """All by ids: `organizations` are names, `addresses` those of each organization's people, `names` those of
    workspaces, members and keys, `members` the addresses of members by organization and user.
    """

    organizations: Mapping[str, str]
    addresses: Mapping[str, list[str]]
    names: Mapping[str, str]
    members: Mapping[tuple[str, str], str]


def readers_of(organization_ids: Collection[str], scopes: Collection[tuple[str, str]]) -> Readers:
    """`scopes` are types and ids. Six queries at most."""
    ids = defaultdict(set)
    for scope, id in scopes:
        ids[scope].add(id)
    users = User.objects.in_bulk(ids["user"])
    rows = (
        *Workspace.objects.in_bulk(ids["workspace"]).values(),
        *ApiKey.objects.in_bulk(ids["api_key"]).values(),
    )
    return Readers(
        {str(id): name for id, name in _organizations(organization_ids)},
        addresses_of(organization_ids, MONEY),
        {row.pk: row.name for row in rows} | {id: user.name or user.email for id, user in users.items()},
        _members(organization_ids, ids["user"]),
    )


def addresses_of(organization_ids: Collection[str], roles: Collection[str]) -> dict[str, list[str]]:
    """The addresses of people with one of these roles who may sign in, by organization."""
    found: dict[str, list[str]] = defaultdict(list)
    rows = Membership.objects.filter(organization__in=organization_ids, role__in=roles, user__is_active=True)
    for id, address in rows.order_by("added_at", "id").values_list("organization_id", "user__email"):
        found[str(id)].append(address)
    return found


def _members(organization_ids: Collection[str], user_ids: Collection[str]) -> dict[tuple[str, str], str]:
    """Whoever left is told nothing any more."""
    rows = Membership.objects.filter(
        organization__in=organization_ids, user__in=user_ids, user__is_active=True
    )
    found = rows.values_list("organization_id", "user_id", "user__email")
    return {(str(organization_id), user_id): address for organization_id, user_id, address in found}


def _organizations(ids: Collection[str]) -> list[tuple[object, str]]:
    return list(Organization.objects.filter(pk__in=ids).values_list("id", "name"))
