"""Make API keys and Admin keys, and switch them on and off."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from msgspec import UNSET, UnsetType

from admin_api import audit
from admin_api.actor import Actor
from admin_api.limits import check_limits
from admin_api.model_rules import Rules, check_rules, replace_rules
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
    allowed_models: Sequence[str] = (),
    denied_models: Sequence[str] = (),
    expires_at: datetime.datetime | None = None,
    created_by: User | None = None,
) -> tuple[ApiKey, str]:
    """The key and its secret, which is never to be had again. No workspace: the whole organization's key.

    `allowed_models` and `denied_models` are names, aliases and `*`; none allowed is all that the organization
    and the workspace allow.
    """
    name = name.strip()
    if not name or len(name) > 500:
        raise InvalidRequest("name: expected 1 to 500 characters")
    if workspace is not None:
        _check_workspace(workspace, organization, kind)
    if expires_at is not None and expires_at <= timezone.now():
        raise InvalidRequest("expires_at: expected a time in the future")
    rules = _checked_rules(kind, allowed_models, denied_models)
    secret = credentials.new_secret(kind)
    key = ApiKey.objects.create(
        organization=organization,
        workspace=workspace,
        kind=kind,
        name=name,
        digest=credentials.digest(secret, settings.CONFIGURATION.peppers[0]),
        hint=credentials.hint(secret),
        limits=check_limits(limits or {}),
        **rules,
        created_by=created_by,
        expires_at=expires_at,
    )
    told = {"name": name, "kind": kind, "workspace_id": key.workspace_id}
    _record(actor, "api_key.created", key, told | {field: names for field, names in rules.items() if names})
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


@transaction.atomic
def set_models(
    *,
    actor: Actor,
    key: ApiKey,
    allowed: Sequence[str] | UnsetType = UNSET,
    denied: Sequence[str] | UnsetType = UNSET,
) -> None:
    """Replaces which models the key may call; a list that is not given stays."""
    change = replace_rules(key, _checked_rules(key.kind, allowed, denied))
    _record(actor, "api_key.models_set", key, change)
    publish.key_changed(key.digest)


def _checked_rules(kind: str, allowed: Sequence[str] | UnsetType, denied: Sequence[str] | UnsetType) -> Rules:
    rules = check_rules(allowed, denied)
    if kind == ApiKey.Kind.ADMIN and any(rules.values()):
        raise InvalidRequest("allowed_models: an Admin key calls no models")
    return rules


def _check_workspace(workspace: Workspace, organization: Organization, kind: credentials.Kind) -> None:
    if kind == "admin":
        raise InvalidRequest("workspace: an Admin key belongs to the whole organization")
    if workspace.organization_id != organization.id:
        raise InvalidRequest("workspace: not a workspace of this organization")
    held = Workspace.objects.select_for_update(no_key=True).get(pk=workspace.pk)  # none is archived meanwhile
    if held.archived_at is not None:
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
