"""Tells organizations what they have spent: each threshold of each limit and window once, by mail and by webhook.

The row of an alert and what is sent because of it are written in one transaction, so that neither is without the other
whatever crashes; of two processes that see the same threshold, one gets the row.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from django.db import connection, transaction

from admin_api import notices, webhook_events
from admin_api.queries.alert_readers import Readers, readers_of
from admin_api.queries.credit_standings import credit_crossings, rearm_credit
from admin_api.queries.spend_standings import Crossing, crossings, rearm
from gateway.models import SpendAlert
from gateway.models.spend_limits import Period

AT_ONCE = 200  # so that transactions stay short, also where ten thousand thresholds are new

_CLAIM = """
INSERT INTO gateway_spendalert (organization_id, limit_id, window_start, threshold, amount, created_at)
SELECT *, now() FROM unnest(%s::uuid[], %s::text[], %s::timestamptz[], %s::smallint[], %s::bigint[])
ON CONFLICT DO NOTHING
RETURNING organization_id::text, limit_id, threshold
"""


def tell() -> int:
    """Tells of what is newly reached; how many thresholds these are. The clock is the database's: there is one."""
    now = _now()
    rearm(now)
    rearm_credit(now)
    found = [*crossings(now), *credit_crossings()]
    return sum(_tell(found[start : start + AT_ONCE]) for start in range(0, len(found), AT_ONCE))


def forget() -> int:
    """Removes the rows of windows that are over; how many. A day more is kept, for who began before midnight."""
    now = _now() - datetime.timedelta(days=1)
    oldest = min(Period(value).start(now) for value in Period.values)
    return SpendAlert.objects.exclude(limit_id="").filter(window_start__lt=oldest).delete()[0]


def _now() -> datetime.datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime.datetime = cursor.fetchone()[0]
    return now


@transaction.atomic
def _tell(found: Sequence[Crossing]) -> int:
    new = _claimed(found)
    readers = readers_of({one.organization_id for one in new}, {(one.scope, one.scope_id) for one in new})
    webhook_events.write([webhook_events.of_crossing(one) for one in new])
    notices.write([notice for one in new for notice in _notices(one, readers)])
    return len(new)


def _claimed(found: Sequence[Crossing]) -> list[Crossing]:
    """Those that nobody else tells of."""
    columns = [
        [getattr(one, name) for one in found]
        for name in ("organization_id", "limit_id", "window_start", "threshold", "amount")
    ]
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, columns)
        claimed = set(cursor.fetchall())
    return [one for one in found if (one.organization_id, one.limit_id, one.threshold) in claimed]


def _notices(one: Crossing, readers: Readers) -> list[notices.Notice]:
    """To those who look after the organization's money, and to the member whose limit it is."""
    addresses = list(readers.addresses.get(one.organization_id, []))
    if (one.organization_id, one.scope_id) in readers.members:
        addresses.append(readers.members[one.organization_id, one.scope_id])
    subject, text = notices.of_crossing(one, readers)
    return [
        notices.Notice(one.organization_id, address, subject, text) for address in dict.fromkeys(addresses)
    ]
