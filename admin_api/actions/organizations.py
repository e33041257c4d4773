"""Make organizations, and set what they may use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.db import transaction
from msgspec import UNSET, UnsetType

from admin_api import audit
from admin_api.actor import Actor
from admin_api.limits import check_limits
from admin_api.model_rules import check_rules, replace_rules
from gateway.directory import publish
from gateway.errors import InvalidRequest
from gateway.models import Organization, Tier, Workspace

DEFAULT_WORKSPACE = "Default"


@transaction.atomic
def create(
    *, actor: Actor, name: str, tier: Tier, limits: Mapping[str, int | None] | None = None
) -> Organization:
    """An organization with its default workspace. `limits` override single limits of the tier."""
    name = name.strip()
    if not name or len(name) > 200:
        raise InvalidRequest("name: expected 1 to 200 characters")
    if Organization.objects.filter(name=name).exists():
        raise InvalidRequest(f"name: an organization named {name!r} exists already")
    own = check_limits(limits or {}, lifting=True)
    organization = Organization.objects.create(name=name, tier=tier, limits=own)
    Workspace.objects.create(organization=organization, name=DEFAULT_WORKSPACE, is_default=True)
    _record(actor, "organization.created", organization, {"name": name, "tier": tier.name, "limits": own})
    publish.organization_changed(organization.id)
    return organization


@transaction.atomic
def set_tier(*, actor: Actor, organization: Organization, tier: Tier) -> None:
    old = organization.tier
    organization.tier = tier
    organization.save(update_fields=["tier"])
    _record(actor, "organization.tier_set", organization, {"old": old.name, "new": tier.name})
    publish.organization_changed(organization.id)


@transaction.atomic
def set_limits(*, actor: Actor, organization: Organization, limits: Mapping[str, int | None]) -> None:
    """Replaces its own limits: a number overrides the tier's, None lifts it, absent keeps the tier's."""
    own = check_limits(limits, lifting=True)
    old = organization.limits
    organization.limits = own
    organization.save(update_fields=["limits"])
    _record(actor, "organization.limits_set", organization, {"old": old, "new": own})
    publish.organization_changed(organization.id)


@transaction.atomic
def set_models(
    *,
    actor: Actor,
    organization: Organization,
    allowed: Sequence[str] | UnsetType = UNSET,
    denied: Sequence[str] | UnsetType = UNSET,
) -> None:
    """Replaces which models it may use, by names, aliases and `*`; a list that is not given stays.

    None allowed is all of them, and what is denied is denied.
    """
    change = replace_rules(organization, check_rules(allowed, denied))
    _record(actor, "organization.models_set", organization, change)
    publish.organization_changed(organization.id)


def _record(actor: Actor, action: str, organization: Organization, details: Mapping[str, object]) -> None:
    audit.record(
        actor=actor,
        action=action,
        target_type="organization",
        target_id=str(organization.id),
        organization_id=organization.id,
        details=details,
    )
