"""Make, change and archive service accounts."""

from __future__ import annotations

import re
from collections.abc import Mapping

from django.db import transaction
from django.utils import timezone
from msgspec import UNSET, UnsetType

from admin_api import audit
from admin_api.actor import Actor
from admin_api.changes import differences, told
from admin_api.unattended_batches import canceled_batches
from gateway.directory import publish
from gateway.errors import Conflict, InvalidRequest
from gateway.models import ApiKey, Organization, ServiceAccount

SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")


@transaction.atomic
def create(
    *,
    actor: Actor,
    organization: Organization,
    name: str,
    description: str = "",
    organization_role: str = ServiceAccount.Role.DEVELOPER,
) -> ServiceAccount:
    """A further service account. Raises `Conflict` where a live one has the name already."""
    if not SLUG.fullmatch(name):
        raise InvalidRequest("name: expected 1 to 64 lowercase letters, digits and hyphens within")
    Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
    if organization.service_accounts.filter(name=name, archived_at=None).exists():
        raise Conflict(f"name: a service account named {name!r} exists already")
    account = ServiceAccount.objects.create(
        organization=organization,
        name=name,
        description=description,
        organization_role=_checked_role(organization_role),
        created_by_actor_id=actor.user_id,
        updated_by_actor_id=actor.user_id,
    )
    _record(actor, "service_account.created", account, {"name": name, "organization_role": organization_role})
    return account


@transaction.atomic
def update(
    *,
    actor: Actor,
    service_account: ServiceAccount,
    description: str | UnsetType = UNSET,
    organization_role: str | UnsetType = UNSET,
) -> ServiceAccount:
    """Changes what is given; the name stays. Raises `InvalidRequest` for one that is archived."""
    held = held_live(service_account)
    wanted: dict[str, object] = {}
    if description is not UNSET:
        wanted["description"] = description
    if organization_role is not UNSET:
        wanted["organization_role"] = _checked_role(organization_role)
    changes = differences({field: getattr(held, field) for field in wanted}, wanted)
    if not changes:
        return held
    for field, value in wanted.items():
        setattr(held, field, value)
    held.updated_at, held.updated_by_actor_id = timezone.now(), actor.user_id
    held.save()
    _record(actor, "service_account.changed", held, told(changes))
    return held


@transaction.atomic
def archive(*, actor: Actor, service_account: ServiceAccount) -> ServiceAccount:
    """Ends a service account for good, and the keys that act for it; an archived one stays as it is."""
    held = _held(service_account)
    if held.archived_at is not None:
        return held
    held.archived_at, held.archived_by_actor_id = timezone.now(), actor.user_id
    held.save(update_fields=["archived_at", "archived_by_actor_id"])
    keys = held.api_keys.exclude(status=ApiKey.Status.ARCHIVED)
    archived = list(keys.values_list("id", flat=True))
    keys.update(status=ApiKey.Status.ARCHIVED)
    details = {"name": held.name, "archived_api_keys": archived, **canceled_batches(held.organization_id)}
    _record(actor, "service_account.archived", held, details)
    publish.organization_changed(held.organization_id)
    return held


def held_live(service_account: ServiceAccount) -> ServiceAccount:
    """The row as it is now, while no other one of the organization can change.

    Raises `InvalidRequest` where it is archived.
    """
    held = _held(service_account)
    if held.archived_at is not None:
        raise InvalidRequest(f"The service account {held.name!r} is archived.")
    return held


def _held(service_account: ServiceAccount) -> ServiceAccount:
    Organization.objects.select_for_update(no_key=True).get(pk=service_account.organization_id)
    return ServiceAccount.objects.get(pk=service_account.pk)


def _checked_role(role: str) -> str:
    if role not in ServiceAccount.Role.values:
        raise InvalidRequest(f"organization_role: expected one of {', '.join(ServiceAccount.Role.values)}")
    return role


def _record(actor: Actor, action: str, account: ServiceAccount, details: Mapping[str, object]) -> None:
    audit.record(
        actor=actor,
        action=action,
        target_type="service_account",
        target_id=account.id,
        organization_id=account.organization_id,
        details=details,
    )
