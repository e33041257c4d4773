"""Celery's part of metering."""

from __future__ import annotations

import datetime

import structlog
from celery import shared_task
from django.db import connection, transaction

from gateway.metering import partitions

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
