"""The API keys of an organization. Admin keys are no part of any list here."""

from __future__ import annotations

import datetime

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone

from admin_api.queries.member_workspaces import member_workspaces
from admin_api.roles import Role, WorkspaceRole
from gateway import credentials
from gateway.models import ApiKey, Membership, Organization

STALE_AFTER = datetime.timedelta(days=90)


def api_keys(
    organization: Organization,
    *,
    status: str | None = None,
    workspace_id: str | None = None,
    created_by_user_id: str | None = None,
) -> QuerySet[ApiKey]:
    """The keys, each with what is shown of it; `status` is a `current_status`."""
    found = ApiKey.objects.filter(organization=organization, kind=ApiKey.Kind.API)
    found = found.select_related("workspace").prefetch_related("spend_limits")
    if status is not None:
        found = found.filter(_in_status(status))
    if workspace_id is not None:
        found = found.filter(workspace_id=workspace_id)
    if created_by_user_id is not None:
        found = found.filter(created_by_id=created_by_user_id)
    return found


def keys_for(member: Membership) -> QuerySet[ApiKey]:
    """The keys that the member sees, with whom they belong to and their last use.

    Those of the workspaces in which they work with keys; admins see those of the whole organization too.
    """
    rows = api_keys(member.organization).select_related("user", "service_account", "created_by", "use")
    if member.role == Role.ADMIN:
        return rows
    return rows.filter(workspace__in=member_workspaces(member).values("id"))


def may_change(member: Membership, key: ApiKey) -> bool:
    """Of a key that they see. One that acts for somebody else is that person's, and who administers its place.

    Else whoever gives it a new secret could act, and spend, in another's name.
    """
    if member.role == Role.ADMIN or key.user_id in (None, member.user_id):
        return True
    return member_workspaces(member, (WorkspaceRole.ADMIN,)).filter(id=key.workspace_id).exists()


def in_status(rows: QuerySet[ApiKey], status: str) -> QuerySet[ApiKey]:
    """`status` is a `current_status`, or `stale`: active, and not used for `STALE_AFTER`."""
    if status == "stale":
        return rows.filter(_in_status(ApiKey.Status.ACTIVE), _unused_since(timezone.now() - STALE_AFTER))
    return rows.filter(_in_status(status))


def with_secret(rows: QuerySet[ApiKey], secret: str) -> ApiKey | None:
    """The key among `rows` that has this secret, or had it before a rotation. Only its digests are asked for."""
    digests = [credentials.digest(secret, pepper) for pepper in settings.CONFIGURATION.peppers]
    return rows.filter(Q(digest__in=digests) | Q(previous_digest__in=digests)).first()


def _unused_since(since: datetime.datetime) -> Q:
    return Q(created_at__lt=since) & (Q(use=None) | Q(use__at__lt=since))


def _in_status(status: str) -> Q:
    """As `ApiKey.current_status` has it."""
    expired = Q(expires_at__lte=timezone.now())
    if status == "expired":
        return expired & ~Q(status=ApiKey.Status.ARCHIVED)
    if status == ApiKey.Status.ARCHIVED:
        return Q(status=status)
    return Q(status=status) & (Q(expires_at=None) | ~expired)
