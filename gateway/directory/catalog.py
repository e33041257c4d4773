"""The models that can be asked for, as one immutable snapshot of the catalog tables."""

from __future__ import annotations

import datetime
import random
from collections.abc import Callable

import msgspec


class Timeouts(msgspec.Struct, frozen=True):
    """Seconds; a null `first_byte` means 60 for streams and 600 for JSON answers."""

    connect: float = 5.0
    first_byte: float | None = None
    idle: float = 60.0

    def first_byte_of(self, *, stream: bool) -> float:
        return self.first_byte or (60.0 if stream else 600.0)


class Target(msgspec.Struct, frozen=True):
    """One place that serves a model: a provider and the model's name there. `base_url` has no trailing slash."""

    provider: str
    dialect: str
    base_url: str
    api_key: str = msgspec.field(default="", name="api_key")
    upstream_model: str = ""
    preset: str = ""
    key_id: str = ""
    priority: int = 1
    weight: float = 100
    timeouts: Timeouts = Timeouts()
    drain_on_disconnect: bool = False

    @property
    def circuit(self) -> str:
        """The name of what fails together: this model at this provider with this key."""
        return f"{self.provider}/{self.key_id}/{self.upstream_model}"

    def __repr__(self) -> str:  # a target may end up in a log; its credential must not
        return f"Target({self.provider!r}, {self.dialect!r}, {self.upstream_model!r})"


class CatalogModel(msgspec.Struct, frozen=True):
    """A model by its catalog name; `price_version` is null while it has no price."""

    name: str
    display_name: str
    created_at: datetime.datetime
    max_input_tokens: int | None
    max_output_tokens: int | None
    price_version: int | None
    targets: tuple[Target, ...]

    def ordered_targets(self, draw: Callable[[Target], float] | None = None) -> list[Target]:
        """Lower priority first; within one priority by lot, likelier first with more weight.

        `draw` gives a number in (0, 1) for a target; without it chance does.
        """
        if len(self.targets) == 1:
            return [self.targets[0]]
        return sorted(self.targets, key=lambda target: (target.priority, -(_lot(draw, target))))


def _lot(draw: Callable[[Target], float] | None, target: Target) -> float:
    """Efraimidis and Spirakis: the order by u^(1/weight) is a weighted order."""
    return (random.random() if draw is None else draw(target)) ** (1 / target.weight)


class Catalog(msgspec.Struct, frozen=True):
    """Every model by name and alias, and the list that clients see, newest first."""

    names: dict[str, CatalogModel]
    models: tuple[CatalogModel, ...]

    def find(self, name: str) -> CatalogModel | None:
        return self.names.get(name)


EMPTY = Catalog({}, ())


def catalog_of(*groups: list[tuple[CatalogModel, list[str]]]) -> Catalog:
    """A catalog from groups of models with their aliases, the strongest claim first.

    A name once taken stays taken: a configured alias hides a simulated model of that name.
    """
    names: dict[str, CatalogModel] = {}
    for group in groups:
        for model, _ in group:
            names.setdefault(model.name, model)
        for model, aliases in group:
            for alias in aliases:
                names.setdefault(alias, model)
    visible = [model for group in groups for model, _ in group if names[model.name] is model]
    visible.sort(key=lambda model: (model.created_at, model.name), reverse=True)
    return Catalog(names, tuple(visible))
