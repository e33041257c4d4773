"""Rows by the names that people type; a wrong name is answered with what exists. For operators only."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from gateway.errors import NotFound
from gateway.models import ApiKey, Membership, OperatorKey, Organization, Provider, User, Workspace


def organization(name: str) -> Organization:
    """By its exact name."""
    found = Organization.objects.select_related("tier").filter(name=name).first()
    if found is None:
        raise NotFound(
            f"no organization is named {name!r}; there are: {_listed(Organization.objects.all(), 'name')}"
        )
    return found


def workspace(organization: Organization, name: str) -> Workspace:
    """By its exact name, among the organization's live workspaces."""
    live = organization.workspaces.filter(archived_at=None)
    found = live.filter(name=name).first()
    if found is None:
        raise NotFound(
            f"{organization.name} has no workspace named {name!r}; there are: {_listed(live, 'name')}"
        )
    return found


def api_key(id: str) -> ApiKey:
    """By its id, whichever organization's; what has no secret is no key here."""
    keys = ApiKey.objects.exclude(kind=ApiKey.Kind.PLAYGROUND).select_related("organization")
    found = keys.filter(pk=id.strip()).first()
    if found is None:
        raise NotFound(f"no key has the id {id!r}; `manage.py list_api_keys` lists an organization's keys")
    return found


def operator_key(id: str) -> OperatorKey:
    """By its id."""
    found = OperatorKey.objects.filter(pk=id.strip()).first()
    if found is None:
        raise NotFound(f"no operator key has the id {id!r}; `manage.py list_operator_keys` lists them")
    return found


def user(email: str) -> User:
    """By e-mail address, without case."""
    found = User.objects.filter(email__iexact=email.strip()).first()
    if found is None:
        raise NotFound(f"no user has the address {email!r}")
    return found


def member(organization: Organization, email: str) -> Membership:
    """By e-mail address, without case."""
    rows = organization.memberships.select_related("user")
    found: Membership | None = rows.filter(user__email__iexact=email.strip()).first()
    if found is None:
        raise NotFound(f"{organization.name} has no member with the address {email!r}")
    return found


def provider(name: str) -> Provider:
    """By its exact name."""
    found = Provider.objects.filter(name=name).first()
    if found is None:
        raise NotFound(f"no provider is named {name!r}; there are: {_listed(Provider.objects.all(), 'name')}")
    return found


def _listed(rows: QuerySet[Any], field: str) -> str:
    names = list(rows.order_by(field).values_list(field, flat=True)[:20])
    return ", ".join(names) if names else "none"
