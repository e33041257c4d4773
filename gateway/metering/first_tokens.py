"""How long people waited for the first token of late: percentiles over single attempts, which no sum can tell."""

from __future__ import annotations

import dataclasses
import datetime
import uuid
from collections.abc import Sequence

from django.db import connection

MOST = 2_000  # attempts that are looked at, the newest
LOOKED_THROUGH = 20_000  # where only some keys count


@dataclasses.dataclass(frozen=True)
class FirstTokens:
    """In milliseconds, over `attempts` that have a first token."""

    attempts: int
    p50: int
    p95: int


# `day` lets PostgreSQL pass over all other partitions; the index by time has the newest first.
_SQL = """
SELECT count(*),
       percentile_disc(0.5) WITHIN GROUP (ORDER BY waited), percentile_disc(0.95) WITHIN GROUP (ORDER BY waited)
  FROM (SELECT time_to_first_token_ms AS waited, api_key_id FROM usage_event
         WHERE organization_id = %(organization)s AND day >= %(first)s AND day <= %(last)s
           AND at >= %(start)s AND at < %(end)s AND time_to_first_token_ms IS NOT NULL
         ORDER BY at DESC LIMIT %(most)s) AS newest
 WHERE %(keys)s::text[] IS NULL OR api_key_id = ANY(%(keys)s)
"""


def percentiles(
    organization_id: uuid.UUID,
    *,
    start: datetime.datetime,
    end: datetime.datetime,
    api_key_ids: Sequence[str] | None = None,
) -> FirstTokens | None:
    """Of the newest attempts of the time, so that a month costs no more than an hour; None without any."""
    given = {
        "organization": organization_id,
        "first": start.astimezone(datetime.UTC).date(),
        "last": end.astimezone(datetime.UTC).date(),
        "start": start,
        "end": end,
        "most": MOST if api_key_ids is None else LOOKED_THROUGH,
        "keys": None if api_key_ids is None else list(api_key_ids),
    }
    with connection.cursor() as cursor:
        cursor.execute(_SQL, given)
        ((attempts, p50, p95),) = cursor.fetchall()
    return FirstTokens(attempts, p50, p95) if attempts else None
