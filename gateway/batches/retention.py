"""Results are kept for 29 days from a batch's creation; the batch itself stays."""

from __future__ import annotations

import datetime

from django.db import connection, transaction
from django.utils import timezone

from gateway.models import IdempotencyKey, MessageBatch

RESULTS_KEPT = datetime.timedelta(days=29)
CALLS_KEPT = datetime.timedelta(hours=48)  # by their idempotency keys; promised are 24
AT_ONCE = 100  # batches of one call


def archive_old() -> int:
    """Remove requests and results of batches that are too old; how many batches."""
    old = MessageBatch.objects.filter(
        status=MessageBatch.Status.ENDED, archived_at=None, created_at__lte=timezone.now() - RESULTS_KEPT
    )
    ids = list(old.order_by("created_at").values_list("id", flat=True)[:AT_ONCE])
    return sum(map(_archive, ids))


@transaction.atomic
def _archive(batch_id: str) -> int:
    """One at a time, marked first: who reads meanwhile reads either all of it or that it is gone."""
    now = timezone.now()
    archived = MessageBatch.objects.filter(pk=batch_id, archived_at=None).update(archived_at=now)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM message_batch_item WHERE batch_id = %s", [batch_id])
    return archived


def forget_calls() -> int:
    """Remove idempotency keys that nobody can rely on any more; how many."""
    return IdempotencyKey.objects.filter(created_at__lte=timezone.now() - CALLS_KEPT).delete()[0]
