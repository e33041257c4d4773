"""Celery's part of metering."""

from __future__ import annotations

import datetime

import structlog
from celery import shared_task
from django.conf import settings
from django.db import OperationalError, connection, transaction
from psycopg.errors import LockNotAvailable

from gateway.metering import partitions, refusals

log = structlog.get_logger(__name__)

# How many whole days before today each table keeps; 0: for ever.
DAYS_KEPT = {
    partitions.EVENTS: settings.CONFIGURATION.usage_retention_days,
    refusals.TABLE: refusals.KEPT.days,
}


@shared_task
def make_partitions() -> list[str]:
    """Make the partitions for today and the days ahead; returns the days of the ledger that were missing."""
    days = partitions.days_ahead(_today())
    made: dict[str, list[str]] = {}
    for table in DAYS_KEPT:
        with transaction.atomic(), connection.cursor() as cursor:
            made[table] = [day.isoformat() for day in partitions.ensure(cursor, days, table)]
        if made[table]:
            log.info("partitions_made", table=table, days=made[table])
    return made[partitions.EVENTS]


@shared_task
def drop_partitions() -> list[str]:
    """Drop the partitions that are older than their table keeps; returns their names. Rollups stay."""
    dropped = []
    for table, kept in DAYS_KEPT.items():
        for day in _expired(table, kept):
            if not _dropped(table, day):
                break
            dropped.append(f"{table}_{day:%Y%m%d}")
    if dropped:
        log.info("partitions_dropped", partitions=dropped)
    return dropped


def _expired(table: str, kept: int) -> list[datetime.date]:
    if not kept:
        return []
    with connection.cursor() as cursor:
        days = partitions.existing(cursor, table)
    return [day for day in days if day < _today() - datetime.timedelta(days=kept)]


def _dropped(table: str, day: datetime.date) -> bool:
    """Whether it could be done now: while somebody reads the table for long, it is left for the next time."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            partitions.drop(cursor, day, table)
    except OperationalError as problem:
        if not isinstance(problem.__cause__, LockNotAvailable):
            raise
        log.warning("partition_is_in_use", table=table, day=day.isoformat())
        return False
    return True


def _today() -> datetime.date:
    return datetime.datetime.now(datetime.UTC).date()
