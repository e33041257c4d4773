"""Make operator keys and revoke them."""

from __future__ import annotations

import datetime

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from admin_api import audit
from admin_api.actor import Actor
from gateway import credentials
from gateway.errors import InvalidRequest
from gateway.models import OperatorKey

LONGEST_NAME = 200


@transaction.atomic
def create(
    *, actor: Actor, name: str, expires_at: datetime.datetime | None = None
) -> tuple[OperatorKey, str]:
    """The key and its secret, which is never to be had again."""
    name = name.strip()
    if not name or len(name) > LONGEST_NAME:
        raise InvalidRequest(f"name: expected 1 to {LONGEST_NAME} characters")
    if expires_at is not None and expires_at <= timezone.now():
        raise InvalidRequest("expires_at: expected a time in the future")
    secret = credentials.new_secret(credentials.OPERATOR)
    key = OperatorKey.objects.create(
        name=name,
        digest=credentials.digest(secret, settings.CONFIGURATION.peppers[0]),
        hint=credentials.hint(secret),
        expires_at=expires_at,
    )
    expiry = expires_at.isoformat() if expires_at is not None else None
    _record(actor, "operator_key.created", key, {"name": name, "expires_at": expiry})
    return key, secret


@transaction.atomic
def revoke(*, actor: Actor, key: OperatorKey) -> OperatorKey:
    """Ends a key for good, with the next request; one that is revoked already stays as it is."""
    held = OperatorKey.objects.select_for_update().get(pk=key.pk)
    if held.revoked_at is None:
        held.revoked_at = timezone.now()
        held.save(update_fields=["revoked_at"])
        _record(actor, "operator_key.revoked", held, {"name": held.name})
    return held


def _record(actor: Actor, action: str, key: OperatorKey, details: dict[str, str | None]) -> None:
    audit.record(actor=actor, action=action, target_type="operator_key", target_id=key.id, details=details)
