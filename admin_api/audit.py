"""Writes the audit line of an action, in the action's own transaction."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from admin_api import webhook_events
from admin_api.actor import Actor
from gateway.models import AuditEntry

LONGEST_USER_AGENT = 300


def record(
    *,
    actor: Actor,
    action: str,
    target_type: str,
    target_id: str,
    organization_id: uuid.UUID | None = None,
    details: Mapping[str, object] | None = None,
) -> None:
    """`details` is JSON and holds no secret; no `organization_id` means the whole installation.

    Webhooks of the organization that want to hear of it are told, once the transaction has committed.
    """
    entry = AuditEntry.objects.create(
        organization_id=organization_id,
        actor_type=actor.type,
        actor_id=actor.id,
        action=action,
        target_type=target_type,
        target_id=target_id,
        details=dict(details or {}),
        ip_address=actor.ip_address,
        request_id=actor.request_id,
        user_agent=_storable(actor.user_agent),
    )
    if organization_id is not None:
        webhook_events.write([webhook_events.of_audit_entry(entry)])


def _storable(user_agent: str) -> str:
    """A header may hold what PostgreSQL takes no text with; what is cut off was no name of a program."""
    return user_agent.replace("\x00", "")[:LONGEST_USER_AGENT]
