"""Make, change and archive workspaces."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Least
from django.utils import timezone
from msgspec import UNSET, UnsetType

from admin_api import audit
from admin_api.actor import Actor
from admin_api.limits import check_limits
from admin_api.model_rules import check_rules, replace_rules
from admin_api.residency import AS_IT_IS, Residency, check_residency
from admin_api.unattended_batches import canceled_batches
from gateway.directory import publish
from gateway.errors import InvalidRequest, NotFound
from gateway.limit_pools import DEFAULT, limits_of, names_in
from gateway.limiters import LIMIT_NAMES
from gateway.models import ApiKey, Organization, RequestContent, Workspace

MOST_LIVE = 100  # beside the default one
MOST_TAGS = 50
MOST_CONTENT_DAYS = 365


@transaction.atomic
def create(
    *,
    actor: Actor,
    organization: Organization,
    name: str,
    display_color: str | None = None,
    residency: Residency = AS_IT_IS,
    tags: Mapping[str, str] | None = None,
) -> Workspace:
    """A further workspace; names are unique among the organization's live workspaces, of which there are few."""
    Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
    workspace = Workspace(organization=organization, tags=_tags({}, tags or {}))
    workspace.name = _checked_name(name, workspace)
    workspace.display_color = display_color or workspace.display_color
    for field, value in check_residency(residency, workspace).items():
        setattr(workspace, field, value)
    _check_room(organization)
    workspace.save(force_insert=True)
    _record(actor, "workspace.created", workspace, {"name": workspace.name})
    publish.organization_changed(organization.id)
    return workspace


@transaction.atomic
def update(
    *,
    actor: Actor,
    workspace: Workspace,
    name: str | None = None,
    display_color: str | None = None,
    residency: Residency = AS_IT_IS,
    tags: Mapping[str, str | None] | None = None,
) -> Workspace:
    """Changes what is given; of the tags those that are given, where None removes one.

    Raises `InvalidRequest` for the default workspace and for one that is archived.
    """
    held = held_live(workspace)
    _check_not_default(held)
    wanted = check_residency(residency, held)
    if name is not None:
        wanted["name"] = _checked_name(name, held)
    if display_color is not None:
        wanted["display_color"] = display_color
    if tags is not None:
        wanted["tags"] = _tags(held.tags, tags)
    _write(actor, held, wanted)
    return held


@transaction.atomic
def archive(*, actor: Actor, workspace: Workspace) -> Workspace:
    """Ends a workspace for good, and its keys with it; one that is archived already stays as it is."""
    held = _held(workspace)
    _check_not_default(held)
    if held.archived_at is not None:
        return held
    held.archived_at = timezone.now()
    held.save(update_fields=["archived_at"])
    keys = ApiKey.objects.filter(organization=held.organization_id, workspace=held)
    archived = keys.exclude(status=ApiKey.Status.ARCHIVED).update(status=ApiKey.Status.ARCHIVED)
    details = {"name": held.name, "archived_api_keys": archived, **canceled_batches(held.organization_id)}
    _record(actor, "workspace.archived", held, details)
    publish.organization_changed(held.organization_id)
    return held


@transaction.atomic
def set_models(
    *,
    actor: Actor,
    workspace: Workspace,
    allowed: Sequence[str] | UnsetType = UNSET,
    denied: Sequence[str] | UnsetType = UNSET,
) -> None:
    """Replaces which of the organization's models may be used here; a list that is not given stays.

    Raises `InvalidRequest` for a workspace that is archived.
    """
    workspace = held_live(workspace)
    change = replace_rules(workspace, check_rules(allowed, denied))
    _record(actor, "workspace.models_set", workspace, change)
    publish.organization_changed(workspace.organization_id)


@transaction.atomic
def keep_contents(*, actor: Actor, workspace: Workspace, days: int) -> Workspace:
    """From now on what is asked and answered here is kept for so many days; 0 is not at all.

    What is kept already goes when the new days are over, never later than it would have; with 0 it goes now.
    The default workspace too can keep contents. Raises `InvalidRequest` where the workspace is archived.
    """
    if not 0 <= days <= MOST_CONTENT_DAYS:
        raise InvalidRequest(f"days: expected 0 to {MOST_CONTENT_DAYS}")
    held = held_live(workspace)
    old = held.content_days
    if days == old:
        return held
    held.content_days = days
    held.save(update_fields=["content_days"])
    if days < old:
        shortened = Least(F("expires_at"), F("at") + datetime.timedelta(days=days))
        RequestContent.objects.filter(workspace_id=held.id).update(expires_at=shortened)
    _record(actor, "workspace.contents_kept", held, {"old": {"days": old}, "new": {"days": days}})
    publish.organization_changed(held.organization_id)
    return held


def held_live(workspace: Workspace) -> Workspace:
    """The row as it is now, while no other workspace of the organization, and no member of it, can change.

    Raises `InvalidRequest` where it is archived.
    """
    held = _held(workspace)
    if held.archived_at is not None:
        raise InvalidRequest(f"The workspace {held.name!r} is archived and cannot be changed.")
    return held


def _held(workspace: Workspace) -> Workspace:
    Organization.objects.select_for_update(no_key=True).get(pk=workspace.organization_id)
    held = Workspace.objects.filter(pk=workspace.pk).first()
    if held is None:
        raise NotFound("Workspace not found.")
    return held


def _check_not_default(workspace: Workspace) -> None:
    if workspace.is_default:
        raise InvalidRequest("The default workspace cannot be changed or archived.")


def _checked_name(name: str, workspace: Workspace) -> str:
    """Without spaces around it. Raises `InvalidRequest` where another live workspace has it."""
    name = name.strip()
    if not name or len(name) > 200:
        raise InvalidRequest("name: expected 1 to 200 characters")
    live = Workspace.objects.filter(organization=workspace.organization_id, archived_at=None)
    if live.filter(name=name).exclude(pk=workspace.pk).exists():
        raise InvalidRequest(f"name: a workspace named {name!r} exists already")
    return name


def _check_room(organization: Organization) -> None:
    if organization.workspaces.filter(archived_at=None, is_default=False).count() >= MOST_LIVE:
        raise InvalidRequest(
            f"An organization has at most {MOST_LIVE} workspaces beside the default one; archive one first."
        )


def _tags(held: Mapping[str, str], given: Mapping[str, str | None]) -> dict[str, str]:
    tags = {key: value for key, value in {**held, **given}.items() if value is not None}
    if len(tags) > MOST_TAGS:
        raise InvalidRequest(f"tags: a workspace has at most {MOST_TAGS} tags")
    return tags


def _write(actor: Actor, held: Workspace, wanted: Mapping[str, object]) -> None:
    old = {field: getattr(held, field) for field, value in wanted.items() if getattr(held, field) != value}
    if not old:
        return
    new = {field: wanted[field] for field in old}
    for field, value in new.items():
        setattr(held, field, value)
    held.save(update_fields=list(new))
    _record(actor, "workspace.updated", held, {"old": old, "new": new})
    publish.organization_changed(held.organization_id)


def _record(actor: Actor, action: str, workspace: Workspace, details: Mapping[str, object]) -> None:
    audit.record(
        actor=actor,
        action=action,
        target_type="workspace",
        target_id=workspace.id,
        organization_id=workspace.organization_id,
        details=details,
    )


@transaction.atomic
def set_limits(
    *, actor: Actor, workspace: Workspace, limits: Mapping[str, int | None], pool: str = DEFAULT
) -> Workspace:
    """Sets limits of the workspace's own in one pool; None takes one away, and what is not given stays.

    They may lie above the organization's, which holds as well. Raises `InvalidRequest` for the default
    workspace and for one that is archived.
    """
    held = held_live(workspace)
    _check_not_default(held)
    old, checked = _limits_in(held, pool), check_limits(limits, lifting=True, names=names_in(pool))
    held.group_limits = _with(held, pool, checked)
    new = _limits_in(held, pool)
    if new == old:
        return held
    held.save(update_fields=["group_limits"])
    _record(actor, "workspace.limits_set", held, {"pool": pool, "old": old, "new": new})
    publish.organization_changed(held.organization_id)
    return held


def _limits_in(workspace: Workspace, pool: str) -> dict[str, int | None]:
    found = limits_of(pool, workspace.limits, workspace.group_limits)
    return {name: found[name] for name in LIMIT_NAMES if found.get(name) is not None}


def _with(
    workspace: Workspace, pool: str, limits: Mapping[str, int | None]
) -> dict[str, dict[str, int | None]]:
    """Its limits of single pools once these hold in one. Only what is not in every pool's is kept; None lifts that."""
    usual = limits_of(pool, workspace.limits, {})
    wanted = {**limits_of(pool, workspace.limits, workspace.group_limits), **limits}
    own = {name: value for name, value in wanted.items() if value != usual.get(name)}
    others = {other: held for other, held in workspace.group_limits.items() if other != pool}
    return others | ({pool: own} if own else {})
