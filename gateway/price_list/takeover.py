"""Published prices made the catalog's."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction
from django.utils import timezone

from admin_api.actions import models
from admin_api.actor import Actor
from admin_api.catalog import RouteTo
from admin_api.locks import hold_catalog
from gateway.models import Model
from gateway.price_list.proposals import Proposal, proposals


@transaction.atomic
def take_over(*, actor: Actor, names: Sequence[str] = ()) -> Sequence[Proposal]:
    """All prices that differ, or those of the models with these names; each with its audit line, from now on.

    All of it or nothing; nobody changes a model meanwhile. Returns what was proposed. Raises `NotFound` as
    `proposals` does.
    """
    hold_catalog()
    found = proposals(timezone.now(), names)
    for one in found:
        if one.price is not None and one.changes:
            models.upsert(actor=actor, name=one.model.name, routes=_routes(one.model), price=one.price)
    return found


def _routes(row: Model) -> list[RouteTo]:
    """As they are."""
    return [
        RouteTo(route.provider.name, route.upstream_model, route.priority, route.weight)
        for route in row.routes.all()
    ]
