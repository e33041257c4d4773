"""End people's browser sessions. What a session is called here is derived from its key and opens nothing."""

from __future__ import annotations

from django.db import transaction

from admin_api import audit
from admin_api.actor import Actor
from admin_api.queries.sessions import name_of, sessions_of
from gateway.errors import NotFound
from gateway.models import User


@transaction.atomic
def end(*, actor: Actor, user: User, name: str) -> None:
    """Raises `NotFound` for a session that is over, or of somebody else."""
    found = next((row for row in sessions_of(user) if name_of(row.session_key) == name), None)
    if found is None:
        raise NotFound("This session has ended already.")
    found.delete()
    _record(actor, "session.ended", user, {"session": name, "ip_address": found.ip_address})


@transaction.atomic
def end_others(*, actor: Actor, user: User, key: str | None) -> int:
    """All but the one with this key; how many."""
    ended, _ = user.sessions.exclude(session_key=key).delete()
    _record(actor, "sessions.ended", user, {"count": ended})
    return ended


def _record(actor: Actor, action: str, user: User, details: dict[str, object]) -> None:
    audit.record(actor=actor, action=action, target_type="user", target_id=user.id, details=details)
