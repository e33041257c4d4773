"""The keys that stand for what people send from the Playground."""

from __future__ import annotations

import secrets

from django.db import transaction

from admin_api import access, audit
from admin_api.actor import Actor
from gateway.directory import publish
from gateway.errors import PermissionDenied
from gateway.models import ApiKey, Membership, Organization, Workspace
from gateway.models.identifiers import playground_key_id

DIGEST_BYTES = 32  # as of a key that has a secret; nobody knows one for this


@transaction.atomic
def take(*, actor: Actor, member: Membership, workspace: Workspace) -> ApiKey:
    """The member's key in this workspace, which `access.playground_workspace` gave; made, or made active again where
    there is no active one. Raises `PermissionDenied` for who leaves just now.
    """
    mine = ApiKey.objects.filter(kind=ApiKey.Kind.PLAYGROUND, workspace=workspace, user=member.user_id)
    active = mine.filter(status=ApiKey.Status.ACTIVE).first()
    if active is not None:
        return active
    _hold(member, workspace)
    key, made = mine.get_or_create(defaults=_new(member, workspace))
    if not made and key.status != ApiKey.Status.ACTIVE:
        key.status = ApiKey.Status.ACTIVE
        key.save(update_fields=["status"])
        publish.key_changed(key.digest)
    audit.record(
        actor=actor,
        action="playground_key.taken",
        target_type="api_key",
        target_id=key.id,
        organization_id=member.organization_id,
        details={"user_id": member.user_id, "workspace_id": workspace.id},
    )
    return key


def _hold(member: Membership, workspace: Workspace) -> None:
    """Nobody is removed, and no workspace archived, while the key is made."""
    Organization.objects.select_for_update(no_key=True).get(pk=member.organization_id)
    now = Membership.objects.filter(pk=member.pk).first()
    if now is None:
        raise PermissionDenied("You are no member of this organization any more.")
    access.playground_workspace(now, workspace.id)


def _new(member: Membership, workspace: Workspace) -> dict[str, object]:
    return {
        "id": playground_key_id(),
        "organization_id": member.organization_id,
        "workspace": workspace,
        "kind": ApiKey.Kind.PLAYGROUND,
        "name": f"Playground of {member.user.name or member.user.email}",
        "digest": secrets.token_bytes(DIGEST_BYTES),
        "user_id": member.user_id,
        "created_by_id": member.user_id,
    }
