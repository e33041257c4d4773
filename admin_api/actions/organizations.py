"""Make organizations, set what they may use, suspend and resume them."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence

from django.db import transaction
from django.utils import timezone
from msgspec import UNSET, UnsetType

from admin_api import audit
from admin_api.actions import credit, invites
from admin_api.actor import Actor
from admin_api.limits import check_group_limits, check_limits
from admin_api.locks import hold_catalog
from admin_api.model_rules import check_rules, replace_rules, stored_names
from admin_api.queries.model_groups import pools
from gateway.directory import publish
from gateway.errors import InvalidRequest
from gateway.limit_pools import GroupLimits
from gateway.models import Membership, Organization, Tier, Workspace

DEFAULT_WORKSPACE = "Default"


@transaction.atomic
def create(
    *,
    actor: Actor,
    name: str,
    tier: Tier,
    limits: Mapping[str, int | None] | None = None,
    group_limits: GroupLimits | None = None,
    allowed_models: Sequence[str] = (),
    denied_models: Sequence[str] = (),
) -> Organization:
    """An organization with its default workspace. `limits` and `group_limits` override single limits of the tier's."""
    hold_catalog()
    name = _free_name(name)
    own, rules = check_limits(limits or {}, lifting=True), check_rules(allowed_models, denied_models)
    groups = check_group_limits(group_limits or {}, pools())
    organization = Organization.objects.create(
        name=name, tier=_there(tier), limits=own, group_limits=groups, **rules
    )
    Workspace.objects.create(organization=organization, name=DEFAULT_WORKSPACE, is_default=True)
    told = {"name": name, "tier": tier.name, "limits": own}
    given = {field: value for field, value in (rules | {"group_limits": groups}).items() if value}
    _record(actor, "organization.created", organization, told | given)
    publish.organization_changed(organization.id)
    return organization


@transaction.atomic
def set_up(
    *,
    actor: Actor,
    name: str,
    tier: Tier,
    limits: Mapping[str, int | None] | None = None,
    group_limits: GroupLimits | None = None,
    allowed_models: Sequence[str] = (),
    denied_models: Sequence[str] = (),
    admin_email: str | None = None,
) -> tuple[Organization, str | None]:
    """As `create`, and with `admin_email` the link that makes whoever has this address an admin of it.

    The link is not to be had again.
    """
    organization = create(
        actor=actor,
        name=name,
        tier=tier,
        limits=limits,
        group_limits=group_limits,
        allowed_models=allowed_models,
        denied_models=denied_models,
    )
    if admin_email is None:
        return organization, None
    _, token = invites.create(
        actor=actor, organization=organization, email=admin_email, role=Membership.Role.ADMIN
    )
    return organization, invites.link(token)


@transaction.atomic
def update(
    *,
    actor: Actor,
    organization: Organization,
    name: str | UnsetType = UNSET,
    tier: Tier | UnsetType = UNSET,
    limits: Mapping[str, int | None] | UnsetType = UNSET,
    group_limits: GroupLimits | UnsetType = UNSET,
    allowed_models: Sequence[str] | UnsetType = UNSET,
    denied_models: Sequence[str] | UnsetType = UNSET,
    prepaid: bool | UnsetType = UNSET,
) -> Organization:
    """Changes what is given and differs: all of it or nothing, with one audit line for each such thing.

    `limits`, `group_limits` and the lists of models are whole; `prepaid` says whether it is held to its credit.
    """
    hold_catalog()
    held = _held(organization)
    if name is not UNSET and name.strip() != held.name:
        rename(actor=actor, organization=held, name=name)
    if tier is not UNSET and tier.pk != held.tier_id:
        set_tier(actor=actor, organization=held, tier=tier)
    if limits is not UNSET and dict(limits) != held.limits:
        set_limits(actor=actor, organization=held, limits=limits)
    if group_limits is not UNSET and check_group_limits(group_limits, pools()) != held.group_limits:
        set_group_limits(actor=actor, organization=held, group_limits=group_limits)
    allowed, denied = _other(allowed_models, held.allowed_models), _other(denied_models, held.denied_models)
    if allowed is not UNSET or denied is not UNSET:
        set_models(actor=actor, organization=held, allowed=allowed, denied=denied)
    if prepaid is not UNSET:
        turned = (credit.begin if prepaid else credit.end)(actor=actor, organization=held)
        held.prepaid_since = turned.prepaid_since
    return held


@transaction.atomic
def rename(*, actor: Actor, organization: Organization, name: str) -> None:
    """Names are exact and unique in the whole installation."""
    hold_catalog()
    old, organization.name = organization.name, _free_name(name)
    organization.save(update_fields=["name"])
    _record(actor, "organization.renamed", organization, {"old": old, "new": organization.name})
    publish.organization_changed(organization.id)


@transaction.atomic
def suspend(*, actor: Actor, organization: Organization) -> Organization:
    """Its keys are refused, and its admins at the Admin API, until it is resumed; nothing of it is lost."""
    held = _held(organization)
    if held.suspended_at is None:
        _set_suspended(actor, "organization.suspended", held, timezone.now())
    return held


@transaction.atomic
def resume(*, actor: Actor, organization: Organization) -> Organization:
    """Everything works again as it did before."""
    held = _held(organization)
    if held.suspended_at is not None:
        _set_suspended(actor, "organization.resumed", held, None)
    return held


@transaction.atomic
def set_tier(*, actor: Actor, organization: Organization, tier: Tier) -> None:
    hold_catalog()
    old, tier = organization.tier, _there(tier)
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
def set_group_limits(*, actor: Actor, organization: Organization, group_limits: GroupLimits) -> None:
    """Replaces its own limits of single pools: a number overrides, None lifts, absent keeps what the tier says."""
    hold_catalog()
    own = check_group_limits(group_limits, pools())
    old, organization.group_limits = organization.group_limits, own
    organization.save(update_fields=["group_limits"])
    _record(actor, "organization.group_limits_set", organization, {"old": old, "new": own})
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


def _held(organization: Organization) -> Organization:
    """The row as it is now, which nobody else changes meanwhile, with its tier."""
    rows = Organization.objects.select_for_update(of=("self",), no_key=True).select_related("tier")
    return rows.get(pk=organization.pk)


def _free_name(name: str) -> str:
    """Without spaces around it. Raises `InvalidRequest` where another organization has it."""
    name = name.strip()
    if not name or len(name) > 200:
        raise InvalidRequest("name: expected 1 to 200 characters")
    if Organization.objects.filter(name=name).exists():
        raise InvalidRequest(f"name: an organization named {name!r} exists already")
    return name


def _there(tier: Tier) -> Tier:
    """The tier, unless somebody has removed it meanwhile."""
    if not Tier.objects.filter(pk=tier.pk).exists():
        raise InvalidRequest(f"tier: there is no tier {tier.name!r}")
    return tier


def _other(names: Sequence[str] | UnsetType, held: Sequence[str]) -> Sequence[str] | UnsetType:
    """UNSET where the same models are meant as before."""
    return UNSET if names is UNSET or stored_names(names) == held else names


def _set_suspended(
    actor: Actor, action: str, organization: Organization, at: datetime.datetime | None
) -> None:
    organization.suspended_at = at
    organization.save(update_fields=["suspended_at"])
    _record(actor, action, organization, {"name": organization.name})
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
