"""Tells workers of batches that were started on a page. Only a hint: what is not told, they find."""

from __future__ import annotations

import functools

from django.conf import settings

from gateway.batches.hint import Hints


def tell() -> None:
    """Never waits and never fails; to be called after the commit."""
    _hints().tell()


@functools.cache
def _hints() -> Hints:
    """This process's."""
    return Hints(settings.CELERY_BROKER_URL)
