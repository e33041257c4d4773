"""Make API keys and Admin keys, change them, and give them new secrets."""

from __future__ import annotations

import dataclasses
import datetime
import uuid
from collections.abc import Mapping, Sequence

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from msgspec import UNSET, UnsetType

from admin_api import audit
from admin_api.actor import Actor
from admin_api.changes import differences, shown, told
from admin_api.limits import check_group_limits, check_limits
from admin_api.model_rules import Rules, check_rules
from admin_api.networks import check_networks
from admin_api.queries.model_groups import pools_of
from admin_api.unattended_batches import canceled_batches
from gateway import credentials
from gateway.directory import publish
from gateway.errors import InvalidRequest
from gateway.limit_pools import GroupLimits
from gateway.models import ApiKey, Organization, ServiceAccount, User, Workspace

MOST_ACTIVE = 10_000
MOST_ACTIVE_IN_WORKSPACE = 2_000
LONGEST_OVERLAP = datetime.timedelta(days=7)
LONG_AGO = datetime.datetime(
    1970, 1, 1, tzinfo=datetime.UTC
)  # over for every process, whatever its clock says

Limits = Mapping[str, int | None]


@dataclasses.dataclass(frozen=True)
class Cap:
    """What a key may spend in a period (`daily`, `weekly`, `monthly`), in whole US cents."""

    amount: int
    period: str

    def __str__(self) -> str:
        return f"{self.amount} cents {self.period}"


@transaction.atomic
def create(
    *,
    actor: Actor,
    organization: Organization,
    name: str,
    kind: credentials.Kind = "api",
    workspace: Workspace | None = None,
    user: User | None = None,
    service_account: ServiceAccount | None = None,
    limits: Limits | None = None,
    group_limits: GroupLimits | None = None,
    allowed_models: Sequence[str] = (),
    denied_models: Sequence[str] = (),
    allowed_ips: Sequence[str] = (),
    spend_limit: Cap | None = None,
    expires_at: datetime.datetime | None = None,
    created_by: User | None = None,
) -> tuple[ApiKey, str]:
    """The key and its secret, which is never to be had again. No workspace: the whole organization's key.

    `user` or `service_account` is who the key acts for, if anybody: a member, a live one of the organization.
    `allowed_models` and `denied_models` are names, aliases and `*`; none allowed is all that the organization
    and the workspace allow. `allowed_ips` are networks; none is all.
    """
    _hold(organization.pk)
    _check_workspace(workspace, organization, kind)
    _check_principal(user, service_account, organization)
    _check_room(kind, organization.pk, workspace.pk if workspace is not None else None)
    rules = _checked_rules(kind, allowed_models, denied_models)
    secret = credentials.new_secret(kind)
    key = ApiKey.objects.create(
        organization=organization,
        workspace=workspace,
        kind=kind,
        name=_checked_name(name),
        digest=_digest(secret),
        hint=credentials.hint(secret),
        user=user,
        service_account=service_account,
        limits=check_limits(limits or {}),
        group_limits=_checked_groups(group_limits or {}, organization),
        allowed_ips=check_networks(allowed_ips),
        **rules,
        created_by=created_by,
        expires_at=_checked_expiry(expires_at),
    )
    _set_cap(key, spend_limit)
    _record(actor, "api_key.created", key, _told(key, spend_limit))
    publish.key_changed(key.digest)
    return key, secret


@transaction.atomic
def update(
    *,
    actor: Actor,
    key: ApiKey,
    name: str | UnsetType = UNSET,
    status: str | UnsetType = UNSET,
    expires_at: datetime.datetime | UnsetType | None = UNSET,
    limits: Limits | UnsetType = UNSET,
    group_limits: GroupLimits | UnsetType = UNSET,
    allowed_models: Sequence[str] | UnsetType = UNSET,
    denied_models: Sequence[str] | UnsetType = UNSET,
    allowed_ips: Sequence[str] | UnsetType = UNSET,
    spend_limit: Cap | UnsetType | None = UNSET,
) -> ApiKey:
    """Changes what is given; lists and limits are given whole. `status` is `active`, `inactive` or `archived`.

    Raises `InvalidRequest` for any change of an archived key, and where there is no room for one more active key.
    """
    _hold(key.organization_id)
    held = ApiKey.objects.select_for_update(no_key=True).get(pk=key.pk)
    wanted: dict[str, object] = dict(_checked_rules(held.kind, allowed_models, denied_models))
    if name is not UNSET:
        wanted["name"] = _checked_name(name)
    if status is not UNSET:
        wanted["status"] = _checked_status(status)
    if expires_at is not UNSET:
        wanted["expires_at"] = _checked_expiry(expires_at)
    if limits is not UNSET:
        wanted["limits"] = check_limits(limits)
    if group_limits is not UNSET:
        wanted["group_limits"] = _checked_groups(group_limits, held.organization, held.group_limits)
    if allowed_ips is not UNSET:
        wanted["allowed_ips"] = check_networks(allowed_ips)
    _write(actor, held, wanted, spend_limit)
    return held


@transaction.atomic
def rotate(
    *, actor: Actor, key: ApiKey, overlap: datetime.timedelta = datetime.timedelta(0)
) -> tuple[ApiKey, str]:
    """A new secret for the same key, whose usage and limits go on; the one before works for `overlap` more.

    What an earlier rotation left working ends now. Raises `InvalidRequest` for a key that is archived or expired.
    """
    held = ApiKey.objects.select_for_update(no_key=True).get(pk=key.pk)
    if held.current_status in (ApiKey.Status.ARCHIVED, "expired"):
        raise InvalidRequest(f"An {held.current_status} key cannot be rotated.")
    if not datetime.timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise InvalidRequest("overlap_seconds: expected 0 to 604800 seconds, which are 7 days")
    _announce(held)
    secret = credentials.new_secret(credentials.ADMIN if held.kind == credentials.ADMIN else credentials.API)
    held.previous_digest = held.digest
    held.previous_until = timezone.now() + overlap if overlap else LONG_AGO
    held.digest, held.hint = _digest(secret), credentials.hint(secret)
    held.save(update_fields=["digest", "hint", "previous_digest", "previous_until"])
    _record(actor, "api_key.rotated", held, {"overlap_seconds": int(overlap.total_seconds())})
    _announce(held)
    return held, secret


def _write(
    actor: Actor, held: ApiKey, wanted: Mapping[str, object], spend_limit: Cap | UnsetType | None
) -> None:
    changes = differences({field: getattr(held, field) for field in wanted}, wanted)
    if spend_limit is not UNSET:
        changes += differences({"spend_limit": _cap(held)}, {"spend_limit": spend_limit})
    if not changes:
        return
    if held.status == ApiKey.Status.ARCHIVED:
        raise InvalidRequest("status: an archived key cannot be brought back or changed")
    was = held.current_status
    for field, value in wanted.items():
        setattr(held, field, value)
    if held.current_status == ApiKey.Status.ACTIVE != was:
        _check_room(held.kind, held.organization_id, held.workspace_id)
    held.save(update_fields=list(wanted))
    if spend_limit is not UNSET:
        _set_cap(held, spend_limit)
    ended = {} if held.current_status == ApiKey.Status.ACTIVE else canceled_batches(held.organization_id)
    _record(actor, "api_key.changed", held, {**told(changes), **ended})
    _announce(held)


def _hold(organization_id: uuid.UUID) -> None:
    """Lets nobody else make or change keys of the organization, or end whom they act for, meanwhile."""
    Organization.objects.select_for_update(no_key=True).get(pk=organization_id)


def _set_cap(key: ApiKey, cap: Cap | None) -> None:
    """A limit of the same period stays the same one: what was told of it is not told again."""
    key.spend_limits.exclude(period=cap.period if cap is not None else None).delete()
    if cap is not None:
        key.spend_limits.update_or_create(
            organization_id=key.organization_id,
            period=cap.period,
            defaults={"amount": cap.amount, "updated_at": timezone.now()},
        )


def _cap(key: ApiKey) -> Cap | None:
    found = key.spend_limits.first()
    return Cap(found.amount, found.period) if found is not None else None


def _announce(key: ApiKey) -> None:
    for digest in key.digests:
        publish.key_changed(digest)


def _digest(secret: str) -> bytes:
    return credentials.digest(secret, settings.CONFIGURATION.peppers[0])


def _checked_name(name: str) -> str:
    name = name.strip()
    if not name or len(name) > 500:
        raise InvalidRequest("name: expected 1 to 500 characters")
    return name


def _checked_status(status: str) -> str:
    if status not in ApiKey.Status.values:
        raise InvalidRequest(f"status: expected one of {', '.join(ApiKey.Status.values)}")
    return status


def _checked_expiry(expires_at: datetime.datetime | None) -> datetime.datetime | None:
    if expires_at is not None and expires_at <= timezone.now():
        raise InvalidRequest("expires_at: expected a time in the future")
    return expires_at


def _checked_groups(
    given: GroupLimits, organization: Organization, held: GroupLimits | None = None
) -> GroupLimits:
    """Of the pools that the organization has models in, and those that the key has limits for already."""
    return check_group_limits(given, pools_of(organization).union(held or ())) if given else {}


def _checked_rules(kind: str, allowed: Sequence[str] | UnsetType, denied: Sequence[str] | UnsetType) -> Rules:
    rules = check_rules(allowed, denied)
    if kind == ApiKey.Kind.ADMIN and any(rules.values()):
        raise InvalidRequest("allowed_models: an Admin key calls no models")
    return rules


def _check_workspace(workspace: Workspace | None, organization: Organization, kind: credentials.Kind) -> None:
    if workspace is None:
        return
    if kind == "admin":
        raise InvalidRequest("workspace: an Admin key belongs to the whole organization")
    if workspace.organization_id != organization.id:
        raise InvalidRequest("workspace: not a workspace of this organization")
    if Workspace.objects.get(pk=workspace.pk).archived_at is not None:
        raise InvalidRequest(f"workspace: {workspace.name!r} is archived")


def _check_principal(
    user: User | None, service_account: ServiceAccount | None, organization: Organization
) -> None:
    """Who a key acts for, as they are now: nobody leaves or is archived meanwhile."""
    if user is not None and service_account is not None:
        raise InvalidRequest("principal: a key acts for a user or a service account, not for both")
    if user is not None and not organization.memberships.filter(user=user).exists():
        raise InvalidRequest("principal: not a member of this organization")
    if service_account is not None:
        held = organization.service_accounts.filter(pk=service_account.pk).first()
        if held is None or held.archived_at is not None:
            raise InvalidRequest("principal: not a live service account of this organization")


def _check_room(kind: str, organization_id: uuid.UUID, workspace_id: str | None) -> None:
    """Whether one more key may be active. Admin keys are few, and nobody is to be locked out by API keys."""
    if kind == credentials.ADMIN:
        return
    lasting = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
    active = ApiKey.objects.filter(
        lasting, organization=organization_id, kind=kind, status=ApiKey.Status.ACTIVE
    )
    if active.count() >= MOST_ACTIVE:
        raise InvalidRequest(
            f"An organization has at most {MOST_ACTIVE} active keys.",
            error_code="org_api_key_limit_exceeded",
        )
    if workspace_id is not None and active.filter(workspace=workspace_id).count() >= MOST_ACTIVE_IN_WORKSPACE:
        raise InvalidRequest(
            f"A workspace has at most {MOST_ACTIVE_IN_WORKSPACE} active keys.",
            error_code="workspace_api_key_limit_exceeded",
        )


def _told(key: ApiKey, cap: Cap | None) -> dict[str, object]:
    """What the audit line says of a new key: always what it is, of the rest what it has."""
    always = {"name": key.name, "kind": key.kind, "workspace_id": key.workspace_id}
    optional = {
        "user_id": key.user_id,
        "service_account_id": key.service_account_id,
        "allowed_models": key.allowed_models,
        "denied_models": key.denied_models,
        "allowed_ips": key.allowed_ips,
        "limits": key.limits,
        "group_limits": key.group_limits,
        "spend_limit": shown(cap) if cap else None,
        "expires_at": shown(key.expires_at) if key.expires_at else None,
    }
    return always | {field: value for field, value in optional.items() if value}


def _record(actor: Actor, action: str, key: ApiKey, details: Mapping[str, object]) -> None:
    audit.record(
        actor=actor,
        action=action,
        target_type="api_key",
        target_id=key.id,
        organization_id=key.organization_id,
        details=details,
    )
