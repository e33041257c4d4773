"""Service accounts of an organization, and the workspaces they have a role in."""

from __future__ import annotations

from django.db.models import QuerySet

from gateway.models import Organization, ServiceAccount, ServiceAccountWorkspace, Workspace, WorkspaceMember


def service_accounts(
    organization: Organization, *, include_archived: bool = True
) -> QuerySet[ServiceAccount]:
    found = ServiceAccount.objects.filter(organization=organization)
    return found if include_archived else found.filter(archived_at=None)


def places_of(service_account: ServiceAccount) -> QuerySet[ServiceAccountWorkspace]:
    """Where it was given a role; nowhere, once it is archived."""
    found = ServiceAccountWorkspace.objects.filter(service_account=service_account)
    return found if service_account.archived_at is None else found.none()


def places_in(workspace: Workspace) -> QuerySet[ServiceAccountWorkspace]:
    """Of the live service accounts that were given a role here."""
    found = ServiceAccountWorkspace.objects.filter(workspace=workspace)
    return found.filter(service_account__archived_at=None)


def place_in(workspace: Workspace, service_account: ServiceAccount) -> ServiceAccountWorkspace | None:
    """What it was given there, or implicitly is; an archived one is nothing anywhere."""
    given = places_in(workspace).filter(service_account=service_account).first()
    if given is None and workspace.is_default and service_account.archived_at is None:
        return implicit_place(service_account, workspace)
    return given


def implicit_place(service_account: ServiceAccount, default: Workspace) -> ServiceAccountWorkspace:
    """What a service account is in the default workspace as long as nobody gave it a role there; no row."""
    return ServiceAccountWorkspace(
        workspace=default, service_account=service_account, role=WorkspaceMember.Role.USER
    )
