"""What people choose for themselves."""

from __future__ import annotations

import zoneinfo

from django.db import transaction
from msgspec import UNSET, UnsetType

from admin_api import audit
from admin_api.actor import Actor
from admin_api.changes import differences, told
from gateway.errors import InvalidRequest
from gateway.models import User


@transaction.atomic
def update(
    *,
    actor: Actor,
    user: User,
    name: str | UnsetType = UNSET,
    time_zone: str | UnsetType = UNSET,
) -> User:
    """Changes what is given and differs."""
    held = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    if time_zone is not UNSET and time_zone not in zoneinfo.available_timezones():
        raise InvalidRequest("time_zone: expected the name of a time zone, such as Europe/Berlin")
    given = {"name": name, "time_zone": time_zone}
    wanted: dict[str, object] = {field: value for field, value in given.items() if value is not UNSET}
    if isinstance(name, str):
        wanted["name"] = name.strip()[:200]
    changes = differences({field: getattr(held, field) for field in wanted}, wanted)
    if changes:
        for field, value in wanted.items():
            setattr(held, field, value)
        held.save(update_fields=list(wanted))
        audit.record(
            actor=actor,
            action="profile.changed",
            target_type="user",
            target_id=held.id,
            details=told(changes),
        )
    return held
