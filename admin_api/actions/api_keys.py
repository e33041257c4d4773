"""Make API keys and Admin keys, and switch them on and off."""

from __future__ import annotations

import datetime
from collections.abc import Mapping

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from admin_api import audit
from admin_api.actor import Actor
from admin_api.limits import check_limits
from gateway import credentials
from gateway.directory import publish
from gateway.errors import InvalidRequest
from gateway.models import ApiKey, Organization, User, Workspace


@transaction.atomic
def create(
    *,
    actor: Actor,
    organization: Organization,
    name: str,
    kind: credentials.Kind = "api",
    workspace: Workspace | None = None,
    limits: Mapping[str, int | None] | None = None,
    expires_at: datetime.datetime | None = None,
    created_by: User | None = None,
) -> tuple[ApiKey, str]:
    """The key and its secret, which is never to be had again. No workspace: the whole organization's key."""
    name = name.strip()
    if not name or len(name) > 500:
        raise InvalidRequest("name: expected 1 to 500 characters")
    if workspace is not None:
        _check_workspace(workspace, organization, kind)
    if expires_at is not None and expires_at <= timezone.now():
        raise InvalidRequest("expires_at: expected a time in the future")
    secret = credentials.new_secret(kind)
    key = ApiKey.objects.create(
        organization=organization,
        workspace=workspace,
        kind=kind,
        name=name,
        digest=credentials.digest(secret, settings.CONFIGURATION.peppers[0]),
        hint=credentials.hint(secret),
        limits=check_limits(limits or {}),
        created_by=created_by,
        expires_at=expires_at,
    )
    _record(actor, "api_key.created", key, {"name": name, "kind": kind, "workspace_id": key.workspace_id})
    publish.key_changed(key.digest)
    return key, secret


@transaction.atomic
def set_status(*, actor: Actor, key: ApiKey, status: str) -> ApiKey:
    """`active`, `inactive` or `archived`; an archived key stays archived."""
    if status not in ApiKey.Status.values:
        raise InvalidRequest(f"status: expected one of {', '.join(ApiKey.Status.values)}")
    key = ApiKey.objects.select_for_update().get(pk=key.pk)
    if key.status == status:
        return key
    if key.status == ApiKey.Status.ARCHIVED:
        raise InvalidRequest("status: an archived key cannot be brought back")
    old, key.status = key.status, status
    key.save(update_fields=["status"])
    _record(actor, "api_key.status_set", key, {"old": old, "new": status})
    publish.key_changed(key.digest)
    return key


def _check_workspace(workspace: Workspace, organization: Organization, kind: credentials.Kind) -> None:
    if kind == "admin":
        raise InvalidRequest("workspace: an Admin key belongs to the whole organization")
    if workspace.organization_id != organization.id:
        raise InvalidRequest("workspace: not a workspace of this organization")
    if workspace.archived_at is not None:
        raise InvalidRequest(f"workspace: {workspace.name!r} is archived")


def _record(actor: Actor, action: str, key: ApiKey, details: Mapping[str, object]) -> None:
    audit.record(
        actor=actor,
        action=action,
        target_type="api_key",
        target_id=key.id,
        organization_id=key.organization_id,
        details=details,
    )
