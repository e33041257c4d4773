"""Who used most: the largest keys of a span of time, from the rollups."""

from __future__ import annotations

import dataclasses
import datetime
import uuid
from collections.abc import Sequence
from decimal import Decimal

from django.db import connection

from gateway.metering.rollups import TABLES, Width


@dataclasses.dataclass(frozen=True)
class Leader:
    """`cost` in US dollars."""

    api_key_id: str
    requests: int
    cost: Decimal


def keys(
    organization_id: uuid.UUID,
    *,
    start: datetime.datetime,
    end: datetime.datetime,
    width: Width,
    most: int,
    among: Sequence[str] | None = None,
) -> list[Leader]:
    """By cost, then by requests; `among` are the only ones to look at, where given."""
    sql = (
        f"SELECT api_key_id, sum(requests)::bigint, sum(cost) FROM {TABLES[width]}"
        " WHERE organization_id = %s AND bucket >= %s AND bucket < %s"
        " AND (%s::text[] IS NULL OR api_key_id = ANY(%s))"
        " GROUP BY api_key_id ORDER BY sum(cost) DESC, sum(requests) DESC, api_key_id LIMIT %s"
    )
    only = None if among is None else list(among)
    with connection.cursor() as cursor:
        cursor.execute(sql, [organization_id, start, end, only, only, most])
        return [Leader(id, int(requests), Decimal(cost)) for id, requests, cost in cursor.fetchall()]
