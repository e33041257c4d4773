"""The sums made anew from the ledger, day by day, while drains go on writing.

Nothing is emptied and filled again: what is missing is found in one statement and added in the same, so that readers
see right sums or wrong ones, never none, and no drain waits. A day without a partition keeps the sums that it has,
since what they were made from was dropped.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator

import psycopg
from psycopg.errors import UndefinedTable

from gateway.metering import partitions, rollups, sessions
from gateway.metering.summary import Difference, Span

SUMMARIES = (*rollups.SUMMARIES.values(), sessions.SUMMARY)

# Of rebuilds among themselves: two would add the same difference twice.
_LOCK = 7_205_011_602


def days(
    connection: psycopg.Connection, first: datetime.date | None, last: datetime.date | None
) -> list[datetime.date]:
    """Those that can be rebuilt, oldest first; `last` is one of them."""
    with connection.cursor() as cursor:
        there = partitions.existing(cursor)
    return [day for day in there if (first is None or first <= day) and (last is None or day <= last)]


def rebuild(connection: psycopg.Connection, span: Span) -> dict[str, int]:
    """In one transaction; returns how many lines of which table were not right. Raises `psycopg.Error`."""
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        if not _kept(connection, span.day):
            return {}
        return {summary.table: summary.rebuild(cursor, span) for summary in SUMMARIES}


def differences(connection: psycopg.Connection, span: Span) -> Iterator[Difference]:
    """Every line that is not what the ledger says."""
    with connection.transaction(), connection.cursor() as cursor:
        if not _kept(connection, span.day):
            return
        for summary in SUMMARIES:
            yield from summary.differences(cursor, span)


def _kept(connection: psycopg.Connection, day: datetime.date) -> bool:
    """Whether the day has its partition, which then stays until the transaction ends."""
    try:
        with connection.transaction(), connection.cursor() as cursor:
            partitions.keep(cursor, day)
    except UndefinedTable:
        return False
    return True
