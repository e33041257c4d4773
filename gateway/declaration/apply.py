"""Carries out a declaration: all of it in one transaction, or nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from django.db import transaction
from msgspec import UNSET, UnsetType

from admin_api.actions import invites, memberships, model_groups, models, organizations, providers, tiers
from admin_api.actor import Actor
from admin_api.changes import Change, Upserted, differences, shown
from admin_api.limits import group_changes
from admin_api.locks import hold_catalog
from admin_api.model_rules import stored_names
from gateway.declaration import checks
from gateway.declaration.document import DeclarationError
from gateway.declaration.shapes import Declaration, ModelEntry, Name, OrganizationEntry, PoolLimits
from gateway.models import Membership, Model, ModelGroup, Organization, Provider, Tier
from gateway.models.catalog import Origin

NEW_ORGANIZATION_TIER = "basic"


@transaction.atomic
def apply(declaration: Declaration, *, actor: Actor, prune: bool = False) -> list[str]:
    """Makes the installation as declared and tells each change in one line; no lines: nothing to change.

    Raises `DeclarationError` where the declaration does not fit what is installed. With `prune`, configured
    providers and models that are not named go, and so do tiers that no organization is on and groups of models
    that nothing refers to; organizations, the standard tiers and the simulator always stay.
    """
    hold_catalog()
    there = checks.installed()
    problems = checks.problems(declaration, there, prune=prune)
    if problems:
        raise DeclarationError(problems)
    return [
        *_providers(declaration, actor),
        *_model_groups(declaration, actor),
        *(_prune_models(declaration, actor) if prune else ()),
        *_models(declaration, there, actor),
        *(_prune_providers(declaration, actor) if prune else ()),
        *_tiers(declaration, actor),
        *_organizations(declaration, actor),
        *(_prune_tiers(declaration, actor) if prune else ()),
        *(_prune_model_groups(declaration, actor) if prune else ()),
    ]


def _providers(declaration: Declaration, actor: Actor) -> Iterator[str]:
    for name, entry in declaration.providers.items():
        outcome = providers.upsert(
            actor=actor,
            name=name,
            preset=entry.preset,
            dialect=entry.dialect,
            base_url=entry.base_url,
            api_keys=entry.api_keys,
            timeouts=entry.timeouts,
            on_disconnect=entry.on_disconnect,
            batches=entry.batches,
        )
        yield from _lines(f"provider {name}", outcome)


def _model_groups(declaration: Declaration, actor: Actor) -> Iterator[str]:
    for name, entry in declaration.model_groups.items():
        outcome = model_groups.upsert(actor=actor, name=name, display_name=entry.display_name)
        yield from _lines(f"model group {name}", outcome)


def _models(declaration: Declaration, there: checks.Installed, actor: Actor) -> Iterator[str]:
    for name, entry in declaration.models.items():
        yield from _released(name, entry, declaration, there, actor)
    for name, entry in declaration.models.items():
        outcome = models.upsert(
            actor=actor,
            name=name,
            routes=[route.to for route in entry.routes],
            display_name=entry.display_name,
            aliases=UNSET if entry.aliases is UNSET else [alias.text for alias in entry.aliases],
            group=entry.group.text if isinstance(entry.group, Name) else entry.group,
            max_input_tokens=entry.max_input_tokens,
            max_output_tokens=entry.max_output_tokens,
            price=entry.price,
        )
        yield from _lines(f"model {name}", outcome)


def _released(
    name: str, entry: ModelEntry, declaration: Declaration, there: checks.Installed, actor: Actor
) -> Iterator[str]:
    """Aliases that move to another model are freed first."""
    if entry.aliases is UNSET or name not in there.models:
        return
    wanted = set(declaration.models)
    for other in declaration.models.values():
        wanted |= set() if other.aliases is UNSET else {alias.text for alias in other.aliases}
    moving = sorted((there.models[name] - {alias.text for alias in entry.aliases}) & wanted)
    if moving:
        model = Model.objects.get(name=name, origin=Origin.CONFIGURED)
        models.release_aliases(actor=actor, model=model, aliases=moving)
        yield f"~ model {name}: aliases {shown(moving)} given up"


def _tiers(declaration: Declaration, actor: Actor) -> Iterator[str]:
    for name, entry in declaration.tiers.items():
        outcome = tiers.upsert(
            actor=actor,
            name=name,
            limits=entry.limits,
            group_limits=_by_pool(entry.group_limits),
            reserve_worst_case=entry.reserve_worst_case,
        )
        yield from _lines(f"tier {name}", outcome)


def _organizations(declaration: Declaration, actor: Actor) -> Iterator[str]:
    for name, entry in declaration.organizations.items():
        found = (
            Organization.objects.select_related("tier")
            .select_for_update(of=("self",))
            .filter(name=name)
            .first()
        )
        if found is None:
            found = _new_organization(name, entry, actor)
            _set_models(found, entry, actor)
            yield f"+ organization {name} (tier {found.tier.name})"
        else:
            yield from _changed_organization(found, entry, actor)
        yield from _admins(found, entry, actor)


def _new_organization(name: str, entry: OrganizationEntry, actor: Actor) -> Organization:
    tier = NEW_ORGANIZATION_TIER if entry.tier is UNSET else entry.tier.text
    limits = {} if entry.limits is UNSET else entry.limits
    return organizations.create(
        actor=actor,
        name=name,
        tier=Tier.objects.get(name=tier),
        limits=limits,
        group_limits={} if entry.group_limits is UNSET else _by_pool(entry.group_limits),
    )


def _changed_organization(
    organization: Organization, entry: OrganizationEntry, actor: Actor
) -> Iterator[str]:
    old = organization.tier.name
    if entry.tier is not UNSET and entry.tier.text != old:
        tier = Tier.objects.get(name=entry.tier.text)
        organizations.set_tier(actor=actor, organization=organization, tier=tier)
        yield f"~ organization {organization.name}: tier {old} -> {tier.name}"
    if entry.limits is not UNSET and entry.limits != organization.limits:
        before, after = _worded(organization.limits), _worded(entry.limits)
        organizations.set_limits(actor=actor, organization=organization, limits=entry.limits)
        for change in _limit_changes(before, after):
            yield f"~ organization {organization.name}: {change}"
    for change in _set_group_limits(organization, entry, actor):
        yield f"~ organization {organization.name}: {change}"
    for change in _set_models(organization, entry, actor):
        yield f"~ organization {organization.name}: {change}"


def _set_group_limits(organization: Organization, entry: OrganizationEntry, actor: Actor) -> list[Change]:
    """Sets its limits of single pools where they differ; tells what does."""
    if entry.group_limits is UNSET:
        return []
    new = _by_pool(entry.group_limits)
    changes = group_changes(organization.group_limits, new, "the tier's")
    if changes:
        organizations.set_group_limits(actor=actor, organization=organization, group_limits=new)
    return changes


def _by_pool(pools: tuple[PoolLimits, ...]) -> dict[str, Mapping[str, int | None]]:
    return {one.pool.text: one.limits for one in pools}


def _set_models(organization: Organization, entry: OrganizationEntry, actor: Actor) -> list[Change]:
    """Sets the rules about models that differ; tells what does."""
    allowed, denied = _texts(entry.allow_models), _texts(entry.deny_models)
    given = {"allow_models": allowed, "deny_models": denied}
    new: dict[str, object] = {field: names for field, names in given.items() if names is not UNSET}
    old = {"allow_models": organization.allowed_models, "deny_models": organization.denied_models}
    changes = differences(old, new)
    if changes:
        organizations.set_models(actor=actor, organization=organization, allowed=allowed, denied=denied)
    return changes


def _texts(names: tuple[Name, ...] | UnsetType) -> list[str] | UnsetType:
    return UNSET if names is UNSET else stored_names(name.text for name in names)


def _worded(limits: Mapping[str, int | None]) -> dict[str, object]:
    return {f"limits.{name}": "no limit" if value is None else value for name, value in limits.items()}


def _limit_changes(before: dict[str, object], after: dict[str, object]) -> list[Change]:
    tiers_own: dict[str, object] = dict.fromkeys([*before, *after], "the tier's")
    return differences({**tiers_own, **before}, {**tiers_own, **after})


def _admins(organization: Organization, entry: OrganizationEntry, actor: Actor) -> Iterator[str]:
    """Members become admins; others are invited as such, and the link is told here and nowhere again."""
    for email in entry.admins:
        member = organization.memberships.filter(user__email__iexact=email).first()
        if member is not None:
            yield from _promoted(organization, member, email, actor)
        elif not _is_invited(organization, email):
            _, token = invites.create(
                actor=actor,
                organization=organization,
                email=email,
                role=Membership.Role.ADMIN,
                replacing=True,
            )
            yield f"+ invite {email} to {organization.name} as admin: {invites.link(token)}"


def _promoted(organization: Organization, member: Membership, email: str, actor: Actor) -> Iterator[str]:
    if member.role != Membership.Role.ADMIN:
        old = member.role
        memberships.set_role(actor=actor, membership=member, role=Membership.Role.ADMIN)
        yield f"~ organization {organization.name}: {email} {old} -> admin"


def _is_invited(organization: Organization, email: str) -> bool:
    """As an admin: an invitation with less is replaced."""
    pending = invites.pending(organization=organization, email=email)
    return pending.filter(role=Membership.Role.ADMIN).exists()


def _prune_models(declaration: Declaration, actor: Actor) -> Iterator[str]:
    configured = Model.objects.filter(origin=Origin.CONFIGURED).order_by("name")
    for model in configured.exclude(name__in=declaration.models):
        models.remove(actor=actor, model=model)
        yield f"- model {model.name}"


def _prune_providers(declaration: Declaration, actor: Actor) -> Iterator[str]:
    configured = Provider.objects.filter(origin=Origin.CONFIGURED).order_by("name")
    for provider in configured.exclude(name__in=declaration.providers):
        providers.remove(actor=actor, provider=provider)
        yield f"- provider {provider.name}"


def _prune_tiers(declaration: Declaration, actor: Actor) -> Iterator[str]:
    unused = Tier.objects.filter(organizations=None).order_by("name")
    for tier in unused.exclude(name__in=[*tiers.STANDARD, *declaration.tiers]):
        tiers.remove(actor=actor, tier=tier)
        yield f"- tier {tier.name}"


def _prune_model_groups(declaration: Declaration, actor: Actor) -> Iterator[str]:
    for group in ModelGroup.objects.exclude(name__in=declaration.model_groups).order_by("name"):
        if not model_groups.in_use(group):
            model_groups.remove(actor=actor, group=group)
            yield f"- model group {group.name}"


def _lines(what: str, outcome: Upserted[object]) -> Iterator[str]:
    if outcome.created:
        yield f"+ {what}"
    else:
        yield from (f"~ {what}: {change}" for change in outcome.changes)
