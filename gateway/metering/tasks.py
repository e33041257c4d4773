"""Celery's part of metering."""

from __future__ import annotations

import datetime

import structlog
from celery import shared_task
from django.db import OperationalError, connection, transaction

from gateway.metering import partitions, refusals

log = structlog.get_logger(__name__)


@shared_task
def make_partitions() -> list[str]:
    """Make the ledger's partitions for today and the days ahead; returns the days that were missing."""
    days = partitions.days_ahead(datetime.datetime.now(datetime.UTC).date())
    with transaction.atomic(), connection.cursor() as cursor:
        made = [day.isoformat() for day in partitions.ensure(cursor, days)]
    if made:
        log.info("partitions_made", days=made)
    return made


@shared_task
def turn_limit_blocks() -> list[str]:
    """Make the partitions of `limit_block` ahead, then drop those that were kept long enough; returns their names."""
    today = datetime.datetime.now(datetime.UTC).date()
    with transaction.atomic(), connection.cursor() as cursor:
        partitions.ensure(cursor, partitions.days_ahead(today), refusals.TABLE)
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            dropped = partitions.drop(cursor, refusals.first_day_kept(today), refusals.TABLE)
    except OperationalError as problem:  # somebody reads: beat asks again
        log.warning("partitions_kept", table=refusals.TABLE, error=str(problem).partition("\n")[0])
        return []
    if dropped:
        log.info("partitions_dropped", partitions=dropped)
    return dropped
