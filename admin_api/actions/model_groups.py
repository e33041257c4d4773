"""Set up groups of models and take them away."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import transaction
from django.db.models import F, JSONField, TextField, Value
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Cast
from msgspec import UNSET, UnsetType

from admin_api import audit
from admin_api.actor import Actor
from admin_api.changes import Upserted, differences
from admin_api.locks import hold_catalog
from gateway.directory import publish
from gateway.errors import InvalidRequest, NotFound
from gateway.limit_pools import RESERVED
from gateway.models import ApiKey, ModelGroup, Organization, Tier, Workspace


@transaction.atomic
def upsert(*, actor: Actor, name: str, display_name: str | UnsetType = UNSET) -> Upserted[ModelGroup]:
    """Makes the group or changes what it is shown as, which is its name if nothing else is given."""
    hold_catalog()
    if name in RESERVED:
        raise InvalidRequest(f"name: {name} is always there, and no group of models")
    found = ModelGroup.objects.select_for_update().filter(name=name).first()
    row = found or ModelGroup(name=name, display_name=name)
    given = {} if display_name is UNSET else {"display_name": display_name}
    changes = differences({"display_name": row.display_name}, given)
    outcome = Upserted(row, created=found is None, changes=changes)
    if outcome.created or changes:
        row.display_name = given.get("display_name", row.display_name)
        row.save()
        action = "model_group.created" if outcome.created else "model_group.changed"
        _record(actor, action, name, outcome.details())
    return outcome


@transaction.atomic
def remove(*, actor: Actor, group: ModelGroup) -> None:
    """Takes away a group that no model is in. What workspaces and keys have set for it goes along.

    Raises `InvalidRequest` while operators have models in it, or limits for it.
    """
    hold_catalog()
    if not ModelGroup.objects.filter(pk=group.pk).exists():
        raise NotFound("Model group not found.")
    if reason := in_use(group):
        raise InvalidRequest(f"model_groups.{group.name}: {reason}")
    cleared = {"workspaces": _clear(Workspace, group.name), "api_keys": _clear(ApiKey, group.name)}
    _record(actor, "model_group.removed", group.name, cleared)
    group.delete()


def in_use(group: ModelGroup) -> str:
    """Why the group has to stay, or nothing."""
    if group.models.exists():
        return "models are in it"
    for kind, holder in (("tier", Tier), ("organization", Organization)):
        found = holder.objects.filter(group_limits__has_key=group.name).order_by("name").first()
        if found is not None:
            return f"{kind} {found.name!r} has limits for it"
    return ""


def _clear(holder: type[Workspace | ApiKey], pool: str) -> int:
    """Takes the pool's limits from all of them; how many had some. Nothing is counted in an empty group any more."""
    without = CombinedExpression(
        F("group_limits"), "-", Cast(Value(pool), TextField()), output_field=JSONField()
    )
    return holder.objects.filter(group_limits__has_key=pool).update(group_limits=without)


def _record(actor: Actor, action: str, name: str, details: Mapping[str, object]) -> None:
    audit.record(actor=actor, action=action, target_type="model_group", target_id=name, details=details)
    publish.catalog_changed()
