"""What people say about themselves."""

from __future__ import annotations

from django.db import transaction

from admin_api import audit
from admin_api.actor import Actor
from admin_api.changes import differences, told
from gateway.models import User

LONGEST_NAME = 200


@transaction.atomic
def update(*, actor: Actor, user: User, name: str) -> User:
    """Changes what differs."""
    held = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    changes = differences({"name": held.name}, {"name": name.strip()[:LONGEST_NAME]})
    if changes:
        held.name = name.strip()[:LONGEST_NAME]
        held.save(update_fields=["name"])
        audit.record(
            actor=actor,
            action="profile.changed",
            target_type="user",
            target_id=held.id,
            details=told(changes),
        )
    return held
