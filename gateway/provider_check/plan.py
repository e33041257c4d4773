"""What `manage.py check_provider` asks: each model that the provider serves, with each of its keys."""

from __future__ import annotations

import datetime
from collections.abc import Iterable

import msgspec

from gateway.directory.catalog import CatalogModel, Target
from gateway.directory.store import DirectoryStore


class Place(msgspec.Struct, frozen=True):
    """A model at the provider, with one of the provider's keys."""

    model: CatalogModel
    target: Target


async def places(store: DirectoryStore, provider: str, model: str | None) -> list[Place]:
    """All that the catalog routes to the provider, or only `model`, by any of its names here or by its name there.

    A model that has no route to the provider is asked for there as it was named. Without `model` and without
    routes there are none. Raises `StoreUnavailable`.
    """
    catalog = await store.catalog()
    if model is None:
        return _at(provider, catalog.models)
    named = catalog.find(model)
    if named is not None and (found := _at(provider, [named])):
        return found
    return _known_there(provider, catalog.models, model) or await _unrouted(store, provider, model)


def _at(provider: str, models: Iterable[CatalogModel]) -> list[Place]:
    return [
        Place(model, target)
        for model in sorted(models, key=lambda one: one.name)
        for target in model.targets
        if target.provider == provider
    ]


def _known_there(provider: str, models: Iterable[CatalogModel], name: str) -> list[Place]:
    """By the provider's own name; where several models of ours lead there, one of them will do."""
    found = [place for place in _at(provider, models) if place.target.upstream_model == name]
    return [place for place in found if place.model is found[0].model]


async def _unrouted(store: DirectoryStore, provider: str, name: str) -> list[Place]:
    targets = tuple(
        msgspec.structs.replace(target, upstream_model=name) for target in await store.provider(provider)
    )
    model = CatalogModel(
        name=name,
        display_name=name,
        created_at=datetime.datetime.now(datetime.UTC),
        max_input_tokens=None,
        max_output_tokens=None,
        price=None,
        targets=targets,
    )
    return [Place(model, target) for target in targets]
