"""Make workspaces."""

from __future__ import annotations

from django.db import transaction

from admin_api import audit
from admin_api.actor import Actor
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
    audit.record(
        actor=actor,
        action="workspace.created",
        target_type="workspace",
        target_id=workspace.id,
        organization_id=organization.id,
        details={"name": name},
    )
    publish.organization_changed(organization.id)
    return workspace
