"""What a message batch cost so far: attempts do not know their batch, but their key, and that they were batched."""

from __future__ import annotations

import dataclasses
import datetime
from decimal import Decimal

from django.db import connection

from gateway.models import MessageBatch
from gateway.price import BATCH


@dataclasses.dataclass(frozen=True)
class BatchCost:
    """US dollars, of the batch and of `others` of the same key and workspace that ran at the same time."""

    cost: Decimal
    others: int


_COST = """
SELECT coalesce(sum(cost), 0) FROM usage_minute
 WHERE organization_id = %s AND workspace_id = %s AND api_key_id = %s AND service_tier = %s
   AND bucket >= date_trunc('minute', %s::timestamptz) AND bucket <= %s
"""


def batch_cost(batch: MessageBatch, now: datetime.datetime) -> BatchCost:
    """From its first minute to its end. Two queries."""
    until = batch.ended_at or now
    given = [batch.organization_id, batch.workspace_id, batch.api_key_id, BATCH, batch.created_at, until]
    with connection.cursor() as cursor:
        cursor.execute(_COST, given)
        ((cost,),) = cursor.fetchall()
    others = MessageBatch.objects.filter(
        organization=batch.organization_id,
        workspace=batch.workspace_id,
        api_key_id=batch.api_key_id,
        created_at__lte=until,
    ).exclude(pk=batch.pk)
    beside = others.exclude(ended_at__lt=batch.created_at)
    return BatchCost(Decimal(cost), beside.count())
