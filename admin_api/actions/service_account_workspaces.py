"""Give service accounts roles in workspaces, and take them away."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import transaction

from admin_api import audit
from admin_api.actions import service_accounts, workspaces
from admin_api.actor import Actor
from admin_api.roles import GRANTABLE_IN_WORKSPACE
from gateway.errors import InvalidRequest, NotFound
from gateway.models import ServiceAccount, ServiceAccountWorkspace, Workspace


@transaction.atomic
def add(
    *, actor: Actor, workspace: Workspace, service_account: ServiceAccount, role: str
) -> ServiceAccountWorkspace:
    """Its place in the workspace; where it has one, the role becomes this.

    Raises `InvalidRequest` where one of the two is archived.
    """
    _check(workspace, service_account, role)
    found = _place(workspace, service_account)
    if found is not None:
        return _set(actor, found, role)
    place = ServiceAccountWorkspace.objects.create(
        organization_id=workspace.organization_id,
        workspace=workspace,
        service_account=service_account,
        role=role,
        created_by_actor_id=actor.user_id,
    )
    _record(actor, "service_account_workspace.added", place, {"role": role})
    return place


@transaction.atomic
def set_role(
    *, actor: Actor, workspace: Workspace, service_account: ServiceAccount, role: str
) -> ServiceAccountWorkspace:
    """Changes the role of a place that was given, not of the one that all have in the default workspace."""
    _check(workspace, service_account, role)
    found = _place(workspace, service_account)
    if found is None and workspace.is_default:
        raise InvalidRequest("An implicit membership cannot be changed: add the service account explicitly.")
    if found is None:
        raise NotFound("Service account not found.")
    return _set(actor, found, role)


@transaction.atomic
def remove(*, actor: Actor, workspace: Workspace, service_account: ServiceAccount) -> None:
    """Takes a place away that was given; without one there is nothing to do. Raises `InvalidRequest` where the
    workspace is archived."""
    workspaces.held_live(workspace)
    found = _place(workspace, service_account)
    if found is not None:
        _record(actor, "service_account_workspace.removed", found, {"role": found.role})
        found.delete()


def _check(workspace: Workspace, service_account: ServiceAccount, role: str) -> None:
    if role not in GRANTABLE_IN_WORKSPACE:
        raise InvalidRequest(f"workspace_role: expected one of {', '.join(GRANTABLE_IN_WORKSPACE)}")
    workspaces.held_live(workspace)
    service_accounts.held_live(service_account)


def _place(workspace: Workspace, service_account: ServiceAccount) -> ServiceAccountWorkspace | None:
    places = ServiceAccountWorkspace.objects.filter(workspace=workspace, service_account=service_account)
    return places.first()


def _set(actor: Actor, place: ServiceAccountWorkspace, role: str) -> ServiceAccountWorkspace:
    if place.role != role:
        old, place.role = place.role, role
        place.save(update_fields=["role"])
        _record(actor, "service_account_workspace.role_set", place, {"old": old, "new": role})
    return place


def _record(actor: Actor, action: str, place: ServiceAccountWorkspace, details: Mapping[str, object]) -> None:
    audit.record(
        actor=actor,
        action=action,
        target_type="service_account",
        target_id=place.service_account_id,
        organization_id=place.organization_id,
        details={"workspace_id": place.workspace_id, **details},
    )
