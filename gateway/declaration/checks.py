"""What a file alone cannot tell: whether what it names exists, and whether two models claim one name."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

from msgspec import UNSET

from admin_api.limits import no_such_pool
from admin_api.model_rules import not_matching
from gateway.declaration.document import Place, Problem
from gateway.declaration.shapes import Declaration, ModelEntry, Name
from gateway.limit_pools import RESERVED
from gateway.models import Model, ModelGroup, Provider, Tier
from gateway.models.catalog import Origin

SIMULATOR = "simulator"


@dataclasses.dataclass(frozen=True)
class Installed:
    """What is there already, by name. `models` are the configured ones with their aliases, `simulated` the
    simulator's.
    """

    providers: frozenset[str]
    models: Mapping[str, frozenset[str]]
    simulated: frozenset[str]
    tiers: frozenset[str]
    model_groups: frozenset[str]


def installed() -> Installed:
    models = Model.objects.filter(origin=Origin.CONFIGURED).prefetch_related("aliases")
    return Installed(
        providers=frozenset(Provider.objects.values_list("name", flat=True)),
        models={model.name: frozenset(alias.alias for alias in model.aliases.all()) for model in models},
        simulated=frozenset(Model.objects.filter(origin=Origin.SIMULATOR).values_list("name", flat=True)),
        tiers=frozenset(Tier.objects.values_list("name", flat=True)),
        model_groups=frozenset(ModelGroup.objects.values_list("name", flat=True)),
    )


def problems(declaration: Declaration, there: Installed, *, prune: bool) -> list[Problem]:
    """Everything that does not fit. With `prune`, what the file does not name is as good as gone."""
    return [
        *_simulator_problems(declaration),
        *_route_problems(declaration, there, prune),
        *_claim_problems(declaration, there, prune),
        *_tier_problems(declaration, there),
        *_group_problems(declaration, there),
        *_rule_problems(declaration, there, prune),
    ]


def _simulator_problems(declaration: Declaration) -> Iterator[Problem]:
    entry = declaration.providers.get(SIMULATOR)
    if entry is not None and entry.dialect != SIMULATOR:
        yield entry.place.problem("is the built-in simulator; choose another name for a provider of your own")


def _route_problems(declaration: Declaration, there: Installed, prune: bool) -> Iterator[Problem]:
    kept = {SIMULATOR} if prune else there.providers
    known = kept | declaration.providers.keys()
    for entry in declaration.models.values():
        for route in entry.routes:
            name = route.to.provider
            if name in known:
                continue
            if name in there.providers:
                yield route.place.problem(
                    f"--prune would remove provider {name!r}, which this file does not name"
                )
            else:
                yield route.place.problem(
                    f"there is no provider {name!r}; expected one of {', '.join(sorted(known))}"
                )


def _claim_problems(declaration: Declaration, there: Installed, prune: bool) -> Iterator[Problem]:
    """Walks the claims as they will be, what is installed first: the later line in the file is blamed."""
    taken: dict[str, str] = {}
    if not prune:
        for model in there.models.keys() - declaration.models.keys():
            taken |= {name: f"model {model!r} (already installed)" for name in (model, *there.models[model])}
    for model, entry in declaration.models.items():
        for name, place in _claims(model, entry, there):
            if name in taken:
                yield place.problem(f"the name {name!r} is taken by {taken[name]}")
            else:
                taken[name] = f"model {model!r} (line {entry.place.line})"


def _claims(model: str, entry: ModelEntry, there: Installed) -> list[tuple[str, Place]]:
    """The model's name and aliases with their places; aliases not in the file stand with the name."""
    if entry.aliases is UNSET:
        return [(name, entry.place) for name in (model, *sorted(there.models.get(model, ())))]
    return [(model, entry.place), *((alias.text, alias.place) for alias in entry.aliases)]


def _tier_problems(declaration: Declaration, there: Installed) -> Iterator[Problem]:
    known = there.tiers | declaration.tiers.keys()
    for entry in declaration.organizations.values():
        if entry.tier is not UNSET and entry.tier.text not in known:
            yield entry.tier.place.problem(
                f"there is no tier {entry.tier.text!r}; expected one of {', '.join(sorted(known))}"
            )


def _group_problems(declaration: Declaration, there: Installed) -> Iterator[Problem]:
    groups = there.model_groups | declaration.model_groups.keys()
    for entry in declaration.models.values():
        if isinstance(entry.group, Name) and entry.group.text not in groups:
            yield entry.group.place.problem(no_such_pool(entry.group.text, groups))
    pools = groups | RESERVED
    for name in _pools_named(declaration):
        if name.text not in pools:
            yield name.place.problem(no_such_pool(name.text, pools))


def _pools_named(declaration: Declaration) -> Iterator[Name]:
    for tier in declaration.tiers.values():
        yield from (one.pool for one in tier.group_limits)
    for organization in declaration.organizations.values():
        if organization.group_limits is not UNSET:
            yield from (one.pool for one in organization.group_limits)


def _rule_problems(declaration: Declaration, there: Installed, prune: bool) -> Iterator[Problem]:
    """Rules have to name models that will be there: a name without a model is a slip, and would go unnoticed."""
    known = _names_to_be(declaration, there, prune)
    for entry in declaration.organizations.values():
        for names in (entry.allow_models, entry.deny_models):
            for name in () if names is UNSET else names:
                if problem := not_matching(name.text, known):
                    yield name.place.problem(problem)


def _names_to_be(declaration: Declaration, there: Installed, prune: bool) -> set[str]:
    """Every name and alias once the file is applied."""
    names = set(there.simulated)
    if not prune:
        for model in there.models.keys() - declaration.models.keys():
            names |= {model, *there.models[model]}
    for model, entry in declaration.models.items():
        names |= {name for name, _ in _claims(model, entry, there)}
    return names
