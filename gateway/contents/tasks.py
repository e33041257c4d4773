"""Celery's part of contents: what is past its day goes."""

from __future__ import annotations

import structlog
from celery import shared_task
from django.db import connection

log = structlog.get_logger(__name__)

AT_ONCE = 1000

DELETE = """
DELETE FROM request_content WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM request_content WHERE expires_at <= now() LIMIT %s))
"""


@shared_task
def forget_contents() -> int:
    """Delete what its workspace does not keep any longer; returns how many."""
    gone = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(DELETE, [AT_ONCE])
            gone += cursor.rowcount
            if cursor.rowcount < AT_ONCE:
                break
    if gone:
        log.info("contents_forgotten", number=gone)
    return gone
