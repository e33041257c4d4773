"""Taking rows that are to be sent, and saying what became of them; of mail and of webhooks alike.

Whoever takes a row moves its next attempt on in the same step, so that no two send it at once, and one that is lost
with its process is sent again then.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import TypeVar

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from gateway.models import Delivery

D = TypeVar("D", bound=Delivery)
State = Delivery.State

# Minutes after each attempt, the first longer than any attempt takes. After the last one it is given up: three days
# in all.
PAUSES = (2, 5, 15, 60, 180, 360, 720, 1440, 1440)
KEPT = datetime.timedelta(days=30)


@transaction.atomic
def take(due: QuerySet[D], most: int) -> list[D]:
    """Up to so many of `due` whose time has come, the longest waiting first; those that others take are passed by."""
    now = timezone.now()
    waiting = due.filter(state=State.PENDING, next_attempt_at__lte=now).order_by("next_attempt_at")
    rows = list(waiting.select_for_update(skip_locked=True, of=("self",))[:most])
    for row in rows:
        row.next_attempt_at = now + datetime.timedelta(minutes=PAUSES[min(row.attempts, len(PAUSES) - 1)])
        row.attempts += 1
        row.save(update_fields=["attempts", "next_attempt_at"])
    return rows


def delivered(row: Delivery) -> None:
    row.state, row.delivered_at, row.last_error = State.DELIVERED, timezone.now(), ""
    row.save(update_fields=["state", "delivered_at", "last_error"])


def failed(row: Delivery, error: str) -> bool:
    """Whether that was the last attempt; `error` holds no secret."""
    row.last_error = error[:200]
    if row.attempts >= len(PAUSES):
        row.state = State.FAILED
    row.save(update_fields=["state", "last_error"])
    return row.state == State.FAILED


def forget(kinds: Sequence[type[Delivery]]) -> int:
    """Removes what was delivered or given up long ago; how many."""
    old = timezone.now() - KEPT
    return sum(
        kind._default_manager.filter(created_at__lt=old).exclude(state=State.PENDING).delete()[0]
        for kind in kinds
    )
