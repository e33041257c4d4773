"""Ask a provider for a word, to see whether and how it answers. For operators."""

from __future__ import annotations

import datetime
import functools

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from admin_api import audit
from admin_api.actor import Actor
from admin_api.catalog_checks import LONGEST_MODEL, NAME, is_name
from gateway.batches.hint import Hints
from gateway.errors import InvalidRequest
from gateway.models import Provider, ProviderCheck

TASK = "gateway.provider_check.tasks.run_checks"
KEPT = datetime.timedelta(days=30)


@transaction.atomic
def begin(*, actor: Actor, provider: Provider, model: str = "") -> ProviderCheck:
    """A worker asks soon: for `model`, as the provider calls it, or for all that is routed there.

    The provider bills its owner for a few tokens; no tenant is charged.
    """
    if model and not is_name(model, LONGEST_MODEL):
        raise InvalidRequest(f"model: expected {NAME.format(LONGEST_MODEL)}")
    ProviderCheck.objects.filter(asked_at__lt=timezone.now() - KEPT).delete()
    made = ProviderCheck.objects.create(provider=provider.name, model=model, asked_by=actor.id)
    audit.record(
        actor=actor,
        action="provider.tested",
        target_type="provider",
        target_id=provider.name,
        details={"model": model or "all"},
    )
    transaction.on_commit(lambda: _hints().tell(TASK))
    return made


@functools.cache
def _hints() -> Hints:
    return Hints(settings.CELERY_BROKER_URL)
