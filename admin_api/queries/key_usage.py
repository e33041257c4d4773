"""What single keys used by day, from the rollup of days: few rows, by an index of their own."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Collection
from decimal import Decimal

from django.db import connection

from gateway.models import Organization


@dataclasses.dataclass(frozen=True, slots=True)
class KeyDay:
    """What a key used of one model on the UTC day `day`; `tokens` are all read and written, `cost` dollars."""

    api_key_id: str
    day: datetime.date
    model: str
    requests: int
    errors: int
    tokens: int
    cost: Decimal


_SQL = """
SELECT api_key_id, bucket, model, sum(requests), sum(errors),
       sum(input_tokens + cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens + output_tokens), sum(cost)
  FROM usage_day
 WHERE organization_id = %s AND api_key_id = ANY(%s) AND bucket >= %s
 GROUP BY api_key_id, bucket, model ORDER BY api_key_id, bucket, model
"""


def key_days(
    organization: Organization, api_key_ids: Collection[str], since: datetime.datetime
) -> list[KeyDay]:
    """From the midnight `since` on, by key, day and model; days and keys without usage are absent."""
    if not api_key_ids:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_SQL, [organization.id, list(api_key_ids), since])
        rows = cursor.fetchall()
    return [
        KeyDay(key, bucket.date(), model, int(requests), int(errors), int(tokens), Decimal(cost))
        for key, bucket, model, requests, errors, tokens, cost in rows
    ]
