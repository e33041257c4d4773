"""Make workspaces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.db import transaction
from msgspec import UNSET, UnsetType

from admin_api import audit
from admin_api.actor import Actor
from admin_api.model_rules import check_rules, replace_rules
from gateway.directory import publish
from gateway.errors import InvalidRequest
from gateway.models import Organization, Workspace


@transaction.atomic
def create(*, actor: Actor, organization: Organization, name: str) -> Workspace:
    """A further workspace; names are unique among the organization's live workspaces."""
    name = name.strip()
    if not name or len(name) > 200:
        raise InvalidRequest("name: expected 1 to 200 characters")
    Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
    if organization.workspaces.filter(name=name, archived_at=None).exists():
        raise InvalidRequest(f"name: a workspace named {name!r} exists already")
    workspace = Workspace.objects.create(organization=organization, name=name)
    _record(actor, "workspace.created", workspace, {"name": name})
    publish.organization_changed(organization.id)
    return workspace


@transaction.atomic
def set_models(
    *,
    actor: Actor,
    workspace: Workspace,
    allowed: Sequence[str] | UnsetType = UNSET,
    denied: Sequence[str] | UnsetType = UNSET,
) -> None:
    """Replaces which of the organization's models may be used here; a list that is not given stays."""
    change = replace_rules(workspace, check_rules(allowed, denied))
    _record(actor, "workspace.models_set", workspace, change)
    publish.organization_changed(workspace.organization_id)


def _record(actor: Actor, action: str, workspace: Workspace, details: Mapping[str, object]) -> None:
    audit.record(
        actor=actor,
        action=action,
        target_type="workspace",
        target_id=workspace.id,
        organization_id=workspace.organization_id,
        details=details,
    )
