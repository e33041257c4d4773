"""Celery's part of test calls: runs those that wait, as rows; the message that wakes it is only a hint."""

from __future__ import annotations

import asyncio
import concurrent.futures
import datetime
import queue
from collections.abc import Mapping

import structlog
from celery import shared_task
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from gateway.directory.store import StoreUnavailable
from gateway.models import ProviderCheck, ProviderKey
from gateway.provider_check.check import check
from gateway.provider_check.plan import Place
from gateway.provider_check.report import line
from gateway.provider_check.trial import Outcome

log = structlog.get_logger(__name__)

PATIENCE_SECONDS = 60.0
STALE = datetime.timedelta(minutes=5)  # nobody looks any more
NOTHING_ROUTED = "No model is routed to this provider. Name one that it has."


@shared_task(acks_late=False)
def run_checks() -> int:
    """Asks for what waits, one after the other; returns how many."""
    done = 0
    while (found := _next()) is not None:
        _run(found)
        done += 1
    return done


def _next() -> ProviderCheck | None:
    """One that nobody else has taken."""
    with transaction.atomic():
        waiting = ProviderCheck.objects.filter(started_at=None, asked_at__gt=timezone.now() - STALE)
        found = waiting.select_for_update(skip_locked=True).order_by("id").first()
        if found is not None:
            found.started_at = timezone.now()
            found.save(update_fields=["started_at"])
    return found


class _Told:
    """Hears of calls in the loop's thread and hands them over: rows are written by another one."""

    def __init__(self, keys: Mapping[str, str]) -> None:
        self.lines: queue.SimpleQueue[dict[str, object] | None] = queue.SimpleQueue()
        self._keys = keys

    def begins(self, place: Place, *, stream: bool) -> None:
        """What is not over is not told."""

    def ended(self, outcome: Outcome) -> None:
        self.lines.put(line(outcome, self._keys))


def _run(row: ProviderCheck) -> None:
    keys = ProviderKey.objects.filter(provider__name=row.provider)
    told = _Told(
        {str(key.pk): f"...{key.api_key_hint}" if key.api_key_hint else f"#{key.pk}" for key in keys}
    )
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        asking = thread.submit(_ask, row.provider, row.model, told)
        while (ended := told.lines.get()) is not None:
            row.lines.append(ended)
            row.save(update_fields=["lines"])
        row.problem = _problem(asking, row)
    row.ended_at = timezone.now()
    row.save(update_fields=["problem", "ended_at"])


def _ask(provider: str, model: str, told: _Told) -> None:
    try:
        asyncio.run(
            check(
                settings.CONFIGURATION, provider, model=model or None, patience=PATIENCE_SECONDS, report=told
            )
        )
    finally:
        told.lines.put(None)


def _problem(asking: concurrent.futures.Future[None], row: ProviderCheck) -> str:
    """Why there is nothing to show; what went wrong inside is for the log."""
    problem = asking.exception()
    if problem is None:
        return "" if row.lines else NOTHING_ROUTED
    log.error("provider_check_failed", provider=row.provider, exc_info=problem)
    if isinstance(problem, StoreUnavailable):
        return "The database did not answer."
    return "Something went wrong inside the gateway; its log tells what."
