"""Providers and models with everything that is told of them, in a number of queries that does not grow."""

from __future__ import annotations

from django.conf import settings
from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet
from django.db.models.functions import Now

from gateway.models import Model, ModelGroup, Price, Provider, Route
from gateway.models.catalog import Origin


def providers() -> QuerySet[Provider]:
    """Each with its keys, in `keys.all()`."""
    return Provider.objects.prefetch_related("keys")


def model_groups() -> QuerySet[ModelGroup]:
    """Each with its models by name, in `models.all()`."""
    return ModelGroup.objects.prefetch_related(Prefetch("models", Model.objects.order_by("name")))


def models() -> QuerySet[Model]:
    """What can be asked for: a configured model hides the simulator's of its name, and where the simulator is off
    there are none of its own.

    Each with its group, with `aliases.all()`, with `routes.all()` and their providers in the order they are tried
    in, with the price of now, if any, in `current_prices`, and with those that follow in `scheduled_prices`, the first
    one first.
    """
    configured = Model.objects.filter(name=OuterRef("name"), origin=Origin.CONFIGURED)
    served = Q(origin=Origin.CONFIGURED)
    if settings.CONFIGURATION.simulator:
        served |= ~Exists(configured)
    current = Price.objects.filter(effective_at__lte=Now()).order_by("model", "-effective_at", "-id")
    scheduled = Price.objects.filter(effective_at__gt=Now()).order_by("model", "effective_at", "-id")
    return (
        Model.objects.filter(served)
        .select_related("group")
        .prefetch_related(
            "aliases",
            Prefetch("routes", Route.objects.select_related("provider").order_by("priority", "id")),
            Prefetch("prices", current.distinct("model"), to_attr="current_prices"),
            Prefetch("prices", scheduled.distinct("model", "effective_at"), to_attr="scheduled_prices"),
        )
    )
