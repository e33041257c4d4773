"""Which price versions of models held in a time."""

from __future__ import annotations

import datetime
from collections.abc import Collection

from django.db.models import Q

from gateway.models import Price


def price_versions(
    models: Collection[str], start: datetime.datetime, end: datetime.datetime
) -> dict[str, list[Price]]:
    """By model those that held at any moment from `start` up to `end`, the earliest first. One query.

    Of two that begin at the same moment only the later row ever held.
    """
    found: dict[str, list[Price]] = {}
    rows = Price.objects.filter(Q(model_name__in=models), effective_at__lt=end)
    for price in rows.order_by("model_name", "effective_at", "id"):
        held = found.setdefault(price.model_name, [])
        if held and (price.effective_at <= start or held[-1].effective_at == price.effective_at):
            held.pop()
        held.append(price)
    return found
