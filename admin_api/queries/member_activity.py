"""When members were last heard of through the keys that act for them."""

from __future__ import annotations

import datetime
from collections.abc import Collection

from django.db import connection

from gateway.models import Organization

_SQL = """
SELECT k.user_id, max(u.bucket)
  FROM usage_day u JOIN gateway_apikey k ON k.id = u.api_key_id AND k.organization_id = u.organization_id
 WHERE u.organization_id = %s AND u.bucket >= %s AND k.user_id = ANY(%s)
 GROUP BY k.user_id
"""


def last_days(
    organization: Organization, user_ids: Collection[str], *, since: datetime.datetime
) -> dict[str, datetime.datetime]:
    """Midnight in UTC of the last day since then on which a key of the member sent a request; none is absent."""
    if not user_ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_SQL, [organization.id, since, list(user_ids)])
        return dict(cursor.fetchall())
