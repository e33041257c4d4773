"""What counts under rate limits, minute by minute, by pool and for several holders at once: one query."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence

from django.db import connection

from gateway.limit_pools import BATCH
from gateway.models import Organization
from gateway.price import BATCH as BATCH_TIER

Pools = Mapping[str, str]  # the pool of each model, by its name


@dataclasses.dataclass(frozen=True)
class Minute:
    """What a holder used in a pool in the minute that began at `at`. Input is what limits count of it: what was not
    read from a cache, and what was written to one."""

    at: datetime.datetime
    requests: int
    input_tokens: int
    output_tokens: int


# What a holder has of an organization's rows.
_HOLDS = {
    "organization": "%s::text IS NOT NULL",
    "workspace": "workspace_id = %s",
    "api_key": "api_key_id = %s",
}
_AMOUNTS = ("requests", "input_tokens + cache_write_5m_tokens + cache_write_1h_tokens", "output_tokens")


def minutes(
    organization: Organization,
    pools: Pools,
    holders: Sequence[tuple[str, str]],
    *,
    start: datetime.datetime,
    end: datetime.datetime,
) -> dict[tuple[str, str], list[Minute]]:
    """By pool and type of holder, the oldest first; minutes without use are absent. `holders` are types and ids.

    What batches sent is in the pool of batches, whatever its model.
    """
    sums = [
        f"coalesce(sum({amount}) FILTER (WHERE {_HOLDS[kind]}), 0)::bigint"
        for kind, _ in holders
        for amount in _AMOUNTS
    ]
    sql = (
        "SELECT CASE WHEN u.service_tier = %s THEN %s ELSE m.pool END AS counted, u.bucket, "
        f"{', '.join(sums)} FROM usage_minute u"
        " JOIN unnest(%s::text[], %s::text[]) AS m (model, pool) ON m.model = u.model"
        " WHERE u.organization_id = %s AND u.bucket >= %s AND u.bucket < %s GROUP BY counted, u.bucket"
        " ORDER BY counted, u.bucket"
    )
    ids = [id for _, id in holders for _ in _AMOUNTS]
    given = [BATCH_TIER, BATCH, *ids, list(pools), list(pools.values()), organization.id, start, end]
    with connection.cursor() as cursor:
        cursor.execute(sql, given)
        rows = cursor.fetchall()
    return _by_holder(rows, [kind for kind, _ in holders])


def _by_holder(
    rows: Sequence[tuple[object, ...]], kinds: Sequence[str]
) -> dict[tuple[str, str], list[Minute]]:
    found: dict[tuple[str, str], list[Minute]] = {}
    for pool, at, *sums in rows:
        assert isinstance(at, datetime.datetime)
        for place, kind in enumerate(kinds):
            numbers = [int(str(value)) for value in sums[3 * place : 3 * place + 3]]
            if any(numbers):
                found.setdefault((str(pool), kind), []).append(Minute(at, *numbers))
    return found
