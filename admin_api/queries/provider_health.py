"""How providers answered lately, from the ledger; for operators, since it is about all tenants."""

from __future__ import annotations

import dataclasses

from django.db import connection

# From each organization its last hour by index, rather than a whole day of everybody's events.
_SQL = """
SELECT e.provider, count(*), count(*) FILTER (WHERE e.status >= 500 OR e.status = 429 OR e.status = 408),
       percentile_cont(0.95) WITHIN GROUP (ORDER BY e.latency_ms)
           FILTER (WHERE e.status < 400),
       percentile_cont(0.95) WITHIN GROUP (ORDER BY e.time_to_first_token_ms)
  FROM gateway_organization o
 CROSS JOIN LATERAL (
       SELECT provider, status, latency_ms, time_to_first_token_ms FROM usage_event u
        WHERE u.organization_id = o.id AND u.at >= now() - interval '1 hour'
          AND u.day >= ((now() - interval '1 hour') AT TIME ZONE 'UTC')::date) AS e
 GROUP BY e.provider
"""


@dataclasses.dataclass(frozen=True)
class ProviderHealth:
    """Attempts of the last hour. `failed` are those that ended by the provider's doing: 408, 429, or 500 and more.

    Times are milliseconds of attempts that were answered: to the end, and to the first token of streams.
    """

    attempts: int
    failed: int
    p95_ms: float | None
    first_token_p95_ms: float | None


def provider_health() -> dict[str, ProviderHealth]:
    """By the name of the provider; one that nobody asked is not there."""
    with connection.cursor() as cursor:
        cursor.execute(_SQL)
        return {name: ProviderHealth(*figures) for name, *figures in cursor.fetchall()}
