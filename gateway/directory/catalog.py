"""The models that can be asked for, as one immutable snapshot of the catalog tables."""

from __future__ import annotations

import datetime
import math
import random
import re
from collections.abc import Callable, Iterator, Sequence
from urllib.parse import urlsplit

import msgspec

from gateway.circuit_names import circuit_name
from gateway.limit_pools import DEFAULT
from gateway.price import Rates
from gateway.principal import Workspace, denied_by
from gateway.protocol.vendors import Vendor, vendor_of

_ANTHROPIC = "api.anthropic.com"
_VERSION = re.compile(r"(-latest|[-@]20\d\d(-?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01]))\Z", re.ASCII)


class Timeouts(msgspec.Struct, frozen=True):
    """Seconds; a null `first_byte` means 60 for streams and 600 for JSON answers."""

    connect: float = 5.0
    first_byte: float | None = None
    idle: float = 60.0

    def first_byte_of(self, *, stream: bool) -> float:
        return self.first_byte or (60.0 if stream else 600.0)


class Target(msgspec.Struct, frozen=True):
    """One way to a model: a provider, one of its keys, and the model's name there.

    `base_url` has no trailing slash; `preset` names a row of `protocol/vendors.py`, or nothing. `key_id` tells
    the keys of a provider apart without being secret; a provider without a key has "". Where a provider has
    several, its route's weight is divided among them.
    """

    provider: str
    dialect: str
    base_url: str
    api_key: str = msgspec.field(default="", name="api_key")
    upstream_model: str = ""
    priority: int = 1
    weight: float = 100.0
    timeouts: Timeouts = Timeouts()
    drain_on_disconnect: bool = False
    native_batches: bool = False
    preset: str = ""
    key_id: str = ""

    @property
    def circuit(self) -> str:
        """The name of what fails together: this model at this provider with this key."""
        return circuit_name(self.provider, self.key_id, self.upstream_model)

    @property
    def vendor(self) -> Vendor:
        """The habits of who stands behind it."""
        return vendor_of(self.preset, self.dialect, self.base_url)

    @property
    def signer(self) -> str:
        """Whose signature thinking from here bears: accounts and keys of one vendor read each other's."""
        if self.preset:
            return self.preset
        return "anthropic" if urlsplit(self.base_url).hostname == _ANTHROPIC else self.base_url

    def __repr__(self) -> str:  # a target may end up in a log; its credential must not
        return f"Target({self.provider!r}, {self.dialect!r}, {self.upstream_model!r})"


def _anywhere(target: Target) -> float:
    return 1.0 - random.random()  # never 0


class NextPrice(msgspec.Struct, frozen=True):
    """A version that is in force from `at` on."""

    at: datetime.datetime
    rates: Rates


class CatalogModel(msgspec.Struct, frozen=True):
    """A model by its catalog name and its other names; `price` is the version in force, null while there is none.

    `group` is the pool of limits that its requests count in. `next_prices` are those that are known to follow, the
    first one first.
    """

    name: str
    display_name: str
    created_at: datetime.datetime
    max_input_tokens: int | None
    max_output_tokens: int | None
    price: Rates | None
    targets: tuple[Target, ...]
    aliases: tuple[str, ...] = ()
    group: str = DEFAULT
    next_prices: tuple[NextPrice, ...] = ()

    @property
    def price_version(self) -> int | None:
        """What its attempts are charged by."""
        return self.price.id if self.price else None

    @property
    def names(self) -> tuple[str, ...]:
        """What rules about models are held against, however the model was asked for."""
        return (self.name, *self.aliases)

    def priced_at(self, now: datetime.datetime) -> CatalogModel:
        """The model at the price of `now`, which is not earlier than that of its own."""
        begun = [one for one in self.next_prices if one.at <= now]
        if not begun:
            return self
        return msgspec.structs.replace(
            self, price=begun[-1].rates, next_prices=self.next_prices[len(begun) :]
        )

    def ordered_targets(self, draw: Callable[[Target], float] | None = None) -> list[Target]:
        """Lower priority first; within one priority likelier first with more weight.

        `draw` gives each target a number above 0 and up to 1, by default any. Evenly spread numbers put a target
        first as often as its weight says; numbers that stay the same for a conversation keep it where it was.
        """
        if len(self.targets) == 1:
            return [self.targets[0]]
        draw = draw or _anywhere
        # Ascending -log(draw) / weight is descending draw ** (1 / weight), which small weights would make 0.
        return sorted(
            self.targets, key=lambda target: (target.priority, -math.log(draw(target)) / target.weight)
        )


class Catalog(msgspec.Struct, frozen=True):
    """Every model by each of its names, and the list that clients see, newest first.

    `several_signers`: thinking that one provider signed may be sent to another, which would refuse it.
    """

    names: dict[str, CatalogModel]
    models: tuple[CatalogModel, ...]
    several_signers: bool = False

    def find(self, name: str) -> CatalogModel | None:
        """The model that a client means: by name, alias or `provider/model` (which leaves only the ways through
        that provider), and if there is none, by what stands before a date or `-latest` at the end.
        """
        found = self.names.get(name)
        if found is None and (version := _VERSION.search(name)) is not None:
            found = self.names.get(name[: version.start()])
        return found

    @property
    def next_price_at(self) -> datetime.datetime | None:
        """When a price changes next, as far as anybody knows."""
        return min((model.next_prices[0].at for model in self.models if model.next_prices), default=None)

    def priced_at(self, now: datetime.datetime) -> Catalog:
        """The catalog at the prices of `now`."""
        if self.next_price_at is None or self.next_price_at > now:
            return self
        priced = {id(model): model.priced_at(now) for model in (*self.names.values(), *self.models)}
        return msgspec.structs.replace(
            self,
            names={name: priced[id(model)] for name, model in self.names.items()},
            models=tuple(priced[id(model)] for model in self.models),
        )


EMPTY = Catalog({}, ())


def permitted(models: Sequence[CatalogModel], workspace: Workspace) -> Sequence[CatalogModel]:
    """The models that requests in this workspace may use."""
    if not workspace.rules:
        return models
    return [model for model in models if not denied_by(workspace, model.names)]


def catalog_of(*groups: Sequence[CatalogModel]) -> Catalog:
    """A catalog from groups of models, the strongest claim first.

    A name once taken stays taken: a configured alias hides a simulated model of that name.
    """
    owners: dict[str, CatalogModel] = {}
    for group in groups:
        for model in group:
            owners.setdefault(model.name, model)
        for model in group:
            for alias in model.aliases:
                owners.setdefault(alias, model)
    visible = [
        _with_own_aliases(model, owners) for group in groups for model in group if owners[model.name] is model
    ]
    names = {name: model for model in visible for name in model.names}
    for name, model in _through_providers(visible):
        names.setdefault(name, model)
    visible.sort(key=lambda model: (model.created_at, model.name), reverse=True)
    signers = {target.signer for model in visible for target in model.targets if target.dialect != "openai"}
    return Catalog(names, tuple(visible), several_signers=len(signers) > 1)


def _with_own_aliases(model: CatalogModel, owners: dict[str, CatalogModel]) -> CatalogModel:
    """The model without aliases that a stronger claim took, so that no rule reaches it by them."""
    own = tuple(alias for alias in model.aliases if owners[alias] is model)
    return model if own == model.aliases else msgspec.structs.replace(model, aliases=own)


def _through_providers(models: Sequence[CatalogModel]) -> Iterator[tuple[str, CatalogModel]]:
    """`provider/model` for every way to a model, the strongest claim first: names, aliases, names over there."""
    ways = [(provider, way) for model in models for provider, way in _ways(model)]
    for provider, way in ways:
        yield f"{provider}/{way.name}", way
    for provider, way in ways:
        for alias in way.aliases:
            yield f"{provider}/{alias}", way
    for provider, way in ways:
        for target in way.targets:
            yield f"{provider}/{target.upstream_model}", way


def _ways(model: CatalogModel) -> Iterator[tuple[str, CatalogModel]]:
    """The model as each of its providers alone serves it."""
    providers = dict.fromkeys(target.provider for target in model.targets)
    if len(providers) == 1:
        yield next(iter(providers)), model
        return
    for provider in providers:
        targets = tuple(target for target in model.targets if target.provider == provider)
        yield provider, msgspec.structs.replace(model, targets=targets)
