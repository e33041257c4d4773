"""Bring people into organizations, set their role there, and remove them."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import transaction

from admin_api import audit
from admin_api.actor import Actor
from admin_api.queries.members import api_keys_of
from admin_api.queries.sso import connection_of, may_break_glass
from admin_api.unattended_batches import canceled_batches
from gateway.directory import publish
from gateway.errors import InvalidRequest, NotFound
from gateway.models import ApiKey, Membership, Organization, ServiceAccount, User, WorkspaceMember


@transaction.atomic
def add(*, actor: Actor, organization: Organization, user: User, role: str) -> Membership:
    """Makes a user a member; whoever is one already keeps the role they have."""
    check_role(role)
    membership, added = Membership.objects.get_or_create(
        organization=organization, user=user, defaults={"role": role}
    )
    if added:
        _record(actor, "membership.added", membership, {"role": role})
    return membership


@transaction.atomic
def set_role(*, actor: Actor, membership: Membership, role: str) -> Membership:
    """Gives a member another role. Raises `InvalidRequest` where they are the last admin, who stays one."""
    check_role(role)
    held = _held(membership)
    if held.role == role:
        return held
    _check_not_last_admin(held)
    old, held.role = held.role, role
    held.save(update_fields=["role"])
    _record(actor, "membership.role_set", held, {"old": old, "new": role})
    return held


@transaction.atomic
def remove(
    *, actor: Actor, membership: Membership, keys_to: Membership | ServiceAccount | None = None
) -> None:
    """Ends a membership with the roles in workspaces; keys that act for the member are archived, or act from now on
    for another member or a service account, with the secrets that they have.

    Keys that the member made for others stay: they belong to the organization. Raises `InvalidRequest` where
    they are the last admin or the last member, or `keys_to` is not of the organization any more.
    """
    held = _held(membership)
    _check_not_last_admin(held, error_code="cannot_remove_last_member")
    WorkspaceMember.objects.filter(organization=held.organization_id, user=held.user_id).delete()
    keys = _end_keys(held) if keys_to is None else _hand_over_keys(held, keys_to)
    _end_playground(held)
    details = {"role": held.role, **keys, **canceled_batches(held.organization_id)}
    _record(actor, "membership.removed", held, details)
    held.delete()
    publish.organization_changed(held.organization_id)


def _end_keys(held: Membership) -> dict[str, object]:
    """For the audit line."""
    keys = api_keys_of(held)
    archived = list(keys.exclude(status=ApiKey.Status.ARCHIVED).values_list("id", flat=True))
    keys.update(status=ApiKey.Status.ARCHIVED)
    return {"archived_api_keys": archived}


def _hand_over_keys(held: Membership, keys_to: Membership | ServiceAccount) -> dict[str, object]:
    """Archived keys stay with who had them. For the audit line."""
    keys = api_keys_of(held).exclude(status=ApiKey.Status.ARCHIVED)
    handed_over = list(keys.values_list("id", flat=True))
    if isinstance(keys_to, ServiceAccount):
        _check_heir(held.organization.service_accounts.filter(pk=keys_to.pk, archived_at=None).exists())
        keys.update(user=None, service_account=keys_to)
        return {"handed_over_api_keys": handed_over, "to": keys_to.pk}
    others = Membership.objects.filter(organization=held.organization_id).exclude(pk=held.pk)
    _check_heir(others.filter(pk=keys_to.pk).exists())
    keys.update(user=keys_to.user_id)
    return {"handed_over_api_keys": handed_over, "to": keys_to.user_id}


def _end_playground(held: Membership) -> None:
    """What stands for the member's own work in the browser is nobody else's."""
    mine = ApiKey.objects.filter(organization=held.organization_id, user=held.user_id)
    mine.filter(kind=ApiKey.Kind.PLAYGROUND).update(status=ApiKey.Status.ARCHIVED)


def _check_heir(may_have_keys: bool) -> None:
    if not may_have_keys:
        raise InvalidRequest(
            "keys_to: expected another member or a live service account of this organization"
        )


def _held(membership: Membership) -> Membership:
    """The row as it is now, while no other membership of the organization can change."""
    Organization.objects.select_for_update(no_key=True).get(pk=membership.organization_id)
    held = Membership.objects.select_related("user").filter(pk=membership.pk).first()
    if held is None:
        raise NotFound("User not found.")
    return held


def _check_not_last_admin(held: Membership, error_code: str | None = None) -> None:
    """The error code is for whoever is alone."""
    _check_not_last_for_emergencies(held)
    others = Membership.objects.filter(organization=held.organization_id).exclude(pk=held.pk)
    if held.role != Membership.Role.ADMIN or others.filter(role=Membership.Role.ADMIN).exists():
        return
    if others.exists():
        raise InvalidRequest(
            "The last admin of an organization stays one; an operator can make another member admin (set_role)."
        )
    raise InvalidRequest(
        "The only member of an organization cannot be demoted or removed.", error_code=error_code
    )


def _check_not_last_for_emergencies(held: Membership) -> None:
    """While single sign-on is required somebody named gets in without it."""
    if not held.organization.require_sso or not may_break_glass(held.organization, held.user):
        return
    admins = Membership.objects.filter(organization=held.organization_id, role=Membership.Role.ADMIN)
    others = admins.exclude(pk=held.pk).values("user_id")
    connection = connection_of(held.organization)
    if connection is None or not connection.break_glass.filter(id__in=others).exists():
        raise InvalidRequest(
            f"{held.user.email} is the last one who gets in when the identity provider is away. Name another admin "
            "under Settings, Single sign-on first."
        )


def _record(actor: Actor, action: str, membership: Membership, details: Mapping[str, object]) -> None:
    audit.record(
        actor=actor,
        action=action,
        target_type="user",
        target_id=membership.user_id,
        organization_id=membership.organization_id,
        details=details,
    )


def check_role(role: str) -> None:
    if role not in Membership.Role.values:
        raise InvalidRequest(
            f"role: {role!r} is unknown; expected one of {', '.join(sorted(Membership.Role.values))}"
        )
