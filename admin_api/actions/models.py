"""Set up models, with their aliases, routes and prices, and take them away."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction
from msgspec import UNSET, UnsetType

from admin_api import audit
from admin_api.actions import prices
from admin_api.actor import Actor
from admin_api.catalog import Rates, RouteTo
from admin_api.changes import Change, Upserted, differences
from admin_api.limits import no_such_pool
from admin_api.locks import hold_catalog
from gateway.directory import publish
from gateway.errors import InvalidRequest, NotFound
from gateway.models import Model, ModelAlias, ModelGroup, Provider, Route
from gateway.models.catalog import Origin


@transaction.atomic
def upsert(
    *,
    actor: Actor,
    name: str,
    routes: Sequence[RouteTo],
    display_name: str | UnsetType = UNSET,
    aliases: Sequence[str] | UnsetType = UNSET,
    group: str | UnsetType | None = UNSET,
    max_input_tokens: int | UnsetType | None = UNSET,
    max_output_tokens: int | UnsetType | None = UNSET,
    price: Rates | UnsetType = UNSET,
) -> Upserted[Model]:
    """Makes the configured model or changes what differs; what is not given keeps its value.

    `routes` and `aliases` are whole lists. `group` is the name of a model group, None is none. A changed price is a
    further row, from now on or from its `effective_at`; earlier ones stay as they were.
    """
    hold_catalog()
    found = Model.objects.select_for_update().filter(name=name, origin=Origin.CONFIGURED).first()
    row = found or Model(name=name, display_name=name)
    if found is None:
        _refuse_claimed("name", name, row)
    changes = _own_fields(row, display_name, max_input_tokens, max_output_tokens)
    if group is not UNSET:
        changes += _set_group(row, group)
    if found is None or changes:
        row.save()
    if aliases is not UNSET:
        changes += _set_aliases(row, aliases)
    if price is not UNSET:
        changes += prices.set_price(row, price)
    changes += _set_routes(row, routes)
    outcome = Upserted(row, created=found is None, changes=changes)
    if outcome.created or changes:
        _record(actor, "model.created" if outcome.created else "model.changed", name, outcome.details())
    return outcome


@transaction.atomic
def release_aliases(*, actor: Actor, model: Model, aliases: Sequence[str]) -> None:
    """Frees aliases of a model, so that another one can take them over."""
    model.aliases.filter(alias__in=aliases).delete()
    _record(actor, "model.aliases_released", model.name, {"aliases": list(aliases)})


@transaction.atomic
def remove(*, actor: Actor, model: Model) -> None:
    """Takes a configured model away; its prices stay, since usage points at them."""
    hold_catalog()
    if not Model.objects.filter(pk=model.pk).exists():
        raise NotFound("Model not found.")
    if model.origin == Origin.SIMULATOR:
        raise InvalidRequest(f"models.{model.name}: the simulator's models cannot be removed")
    _record(actor, "model.removed", model.name, {})
    model.delete()


def _own_fields(
    row: Model,
    display_name: str | UnsetType,
    max_input_tokens: int | UnsetType | None,
    max_output_tokens: int | UnsetType | None,
) -> list[Change]:
    given = {
        "display_name": display_name,
        "max_input_tokens": max_input_tokens,
        "max_output_tokens": max_output_tokens,
    }
    fields = {field: value for field, value in given.items() if value is not UNSET}
    changes = differences({field: getattr(row, field) for field in fields}, fields)
    for field, value in fields.items():
        setattr(row, field, value)
    return changes


def _set_group(row: Model, name: str | None) -> list[Change]:
    old = row.group.name if row.group is not None else None
    if name == old:
        return []
    row.group = _group(name) if name is not None else None
    return [Change("group", old, name)]


def _group(name: str) -> ModelGroup:
    groups = {group.name: group for group in ModelGroup.objects.all()}
    if name not in groups:
        raise InvalidRequest(f"group: {no_such_pool(name, groups)}")
    return groups[name]


def _set_aliases(row: Model, aliases: Sequence[str]) -> list[Change]:
    old = sorted(row.aliases.values_list("alias", flat=True))
    new = sorted(aliases)
    if old == new:
        return []
    row.aliases.exclude(alias__in=new).delete()
    for alias in sorted(set(new) - set(old)):
        _refuse_claimed("aliases", alias, row)
        ModelAlias.objects.create(model=row, alias=alias)
    return [Change("aliases", old, new)]


def _refuse_claimed(field: str, name: str, row: Model) -> None:
    """Two configured models never answer to one name."""
    by_name = Model.objects.filter(origin=Origin.CONFIGURED, name=name)
    by_alias = Model.objects.filter(aliases__alias=name)
    other = (
        (by_name | by_alias).exclude(pk=row.pk).first() if row.pk else (by_name.first() or by_alias.first())
    )
    if other is not None or (row.pk and row.name == name):
        raise InvalidRequest(f"{field}: the name {name!r} is taken by model {(other or row).name!r}")


def _set_routes(row: Model, routes: Sequence[RouteTo]) -> list[Change]:
    old = [
        RouteTo(route.provider.name, route.upstream_model, route.priority, route.weight)
        for route in row.routes.select_related("provider")
    ]
    if sorted(map(str, old)) == sorted(map(str, routes)):
        return []
    row.routes.all().delete()
    _refuse_twice(routes)
    providers = {provider.name: provider for provider in Provider.objects.all()}
    for position, route in enumerate(routes):
        if route.provider not in providers:
            known = ", ".join(sorted(providers))
            raise InvalidRequest(
                f"routes.{position}.provider: there is no provider {route.provider!r}; expected one of {known}"
            )
        Route.objects.create(
            model=row,
            provider=providers[route.provider],
            upstream_model=route.model,
            priority=route.priority,
            weight=route.weight,
        )
    return [Change("routes", sorted(map(str, old)), sorted(map(str, routes)))]


def _refuse_twice(routes: Sequence[RouteTo]) -> None:
    places = [(route.provider, route.model) for route in routes]
    for position, place in enumerate(places):
        if place in places[:position]:
            raise InvalidRequest(f"routes.{position}: an earlier route has this provider and model already")


def _record(actor: Actor, action: str, name: str, details: dict[str, list[str]]) -> None:
    audit.record(actor=actor, action=action, target_type="model", target_id=name, details=details)
    publish.catalog_changed()
