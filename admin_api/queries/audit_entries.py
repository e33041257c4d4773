"""The audit log of an organization, or of the whole installation for operators; and the names of whom it is about."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable

from django.db import connection
from django.db.models import Q, QuerySet

from gateway.models import ApiKey, AuditEntry, Membership, OperatorKey, Organization, User, Workspace

Named = tuple[str, str]  # what kind of thing, and its id

_NAMES = """
SELECT 'user', id, coalesce(nullif(name, ''), email) FROM gateway_user WHERE id = ANY(%(user)s)
UNION ALL SELECT 'api_key', id, name FROM gateway_apikey WHERE id = ANY(%(api_key)s)
UNION ALL SELECT 'operator_key', id, name FROM gateway_operatorkey WHERE id = ANY(%(operator_key)s)
UNION ALL SELECT 'workspace', id, name FROM gateway_workspace WHERE id = ANY(%(workspace)s)
UNION ALL SELECT 'service_account', id, name FROM gateway_serviceaccount WHERE id = ANY(%(service_account)s)
UNION ALL SELECT 'invite', id, email FROM gateway_invite WHERE id = ANY(%(invite)s)
UNION ALL SELECT 'organization', id::text, name FROM gateway_organization WHERE id::text = ANY(%(organization)s)
"""
_KINDS = ("user", "api_key", "operator_key", "workspace", "service_account", "invite", "organization")


@dataclasses.dataclass(frozen=True)
class AuditFilter:
    """What is looked for; nothing looks for everything. `since` counts, `until` does not.

    `actor` is a kind (`user`, `api_key`, `operator_key`, `system`), an id, or a part of a name or address; `action`
    a whole one (`api_key.created`) or its noun; `target` a kind, an id, or a part of a name.
    """

    actor: str = ""
    action: str = ""
    target: str = ""
    since: datetime.datetime | None = None
    until: datetime.datetime | None = None


def audit_entries(
    organization: Organization | None, wanted: AuditFilter = AuditFilter()
) -> QuerySet[AuditEntry]:
    """Of the organization; with None of all and of the installation itself, which is for operators only."""
    rows = AuditEntry.objects.all()
    if organization is not None:
        rows = rows.filter(organization_id=organization.id)
    if wanted.actor:
        rows = rows.filter(_actor(organization, wanted.actor))
    if wanted.action:
        rows = rows.filter(Q(action=wanted.action) | Q(action__startswith=f"{wanted.action}."))
    if wanted.target:
        rows = rows.filter(_target(organization, wanted.target))
    if wanted.since is not None:
        rows = rows.filter(at__gte=wanted.since)
    if wanted.until is not None:
        rows = rows.filter(at__lt=wanted.until)
    return rows


def names_of(entries: Iterable[AuditEntry]) -> dict[Named, str]:
    """What actors, targets and organizations of these entries are called, where they still are. One query."""
    ids: dict[str, set[str]] = {kind: set() for kind in _KINDS}
    for entry in entries:
        organization = ("organization", str(entry.organization_id or ""))
        for kind, id in (
            (entry.actor_type, entry.actor_id),
            (entry.target_type, entry.target_id),
            organization,
        ):
            if kind in ids and id:
                ids[kind].add(id)
    if not any(ids.values()):
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_NAMES, {kind: sorted(found) for kind, found in ids.items()})
        return {(kind, id): name for kind, id, name in cursor.fetchall()}


def _actor(organization: Organization | None, text: str) -> Q:
    keys = ApiKey.objects.filter(name__icontains=text, kind=ApiKey.Kind.ADMIN)
    found = Q(actor_type=text) | Q(actor_id=text) | Q(actor_id__in=_people(organization, text))
    if organization is not None:
        return found | Q(actor_id__in=keys.filter(organization=organization).values("id"))
    operators = OperatorKey.objects.filter(name__icontains=text)
    return found | Q(actor_id__in=keys.values("id")) | Q(actor_id__in=operators.values("id"))


def _target(organization: Organization | None, text: str) -> Q:
    keys = ApiKey.objects.filter(name__icontains=text)
    workspaces = Workspace.objects.filter(name__icontains=text)
    if organization is not None:
        keys, workspaces = (
            keys.filter(organization=organization),
            workspaces.filter(organization=organization),
        )
    return (
        Q(target_type=text)
        | Q(target_id=text)
        | Q(target_id__in=_people(organization, text))
        | Q(target_id__in=keys.values("id"))
        | Q(target_id__in=workspaces.values("id"))
    )


def _people(organization: Organization | None, text: str) -> QuerySet[User, dict[str, str]]:
    """Of an organization only its members: whoever else acts there is found by id."""
    found = User.objects.filter(Q(name__icontains=text) | Q(email__icontains=text))
    if organization is not None:
        found = found.filter(id__in=Membership.objects.filter(organization=organization).values("user_id"))
    return found.values("id")
