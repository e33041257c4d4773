"""What a file declares, checked as far as the file alone can be. UNSET means: not named, stays as it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from msgspec import UNSET, UnsetType

from admin_api.catalog import Rates, RouteTo, Timeouts, WeightedKey
from gateway.declaration.document import Place


@dataclasses.dataclass(frozen=True)
class Name:
    """A name that refers to something, and where it stands."""

    place: Place
    text: str


@dataclasses.dataclass(frozen=True)
class ProviderEntry:
    """`dialect` and `base_url` are those of the preset where the file leaves them out."""

    place: Place
    dialect: str
    base_url: str
    preset: str = ""
    api_keys: tuple[WeightedKey, ...] | UnsetType = UNSET
    timeouts: Timeouts | UnsetType = UNSET
    on_disconnect: str | UnsetType = UNSET
    batches: str | UnsetType = UNSET


@dataclasses.dataclass(frozen=True)
class ModelGroupEntry:
    place: Place
    display_name: str | UnsetType = UNSET


@dataclasses.dataclass(frozen=True)
class PoolLimits:
    """Limits of one pool: a model group's name, or one that is always there."""

    pool: Name
    limits: Mapping[str, int | None]


@dataclasses.dataclass(frozen=True)
class RouteEntry:
    """`place` is that of the provider's name."""

    place: Place
    to: RouteTo


@dataclasses.dataclass(frozen=True)
class ModelEntry:
    place: Place
    routes: tuple[RouteEntry, ...]
    display_name: str | UnsetType = UNSET
    aliases: tuple[Name, ...] | UnsetType = UNSET
    group: Name | UnsetType | None = UNSET
    max_input_tokens: int | UnsetType | None = UNSET
    max_output_tokens: int | UnsetType | None = UNSET
    price: Rates | UnsetType = UNSET


@dataclasses.dataclass(frozen=True)
class TierEntry:
    """All of a tier: a limit that is not here does not exist."""

    place: Place
    limits: Mapping[str, int]
    group_limits: tuple[PoolLimits, ...] = ()
    reserve_worst_case: bool = False


@dataclasses.dataclass(frozen=True)
class OrganizationEntry:
    place: Place
    tier: Name | UnsetType = UNSET
    limits: Mapping[str, int | None] | UnsetType = UNSET
    group_limits: tuple[PoolLimits, ...] | UnsetType = UNSET
    allow_models: tuple[Name, ...] | UnsetType = UNSET
    deny_models: tuple[Name, ...] | UnsetType = UNSET
    admins: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Declaration:
    """Everything by name."""

    providers: Mapping[str, ProviderEntry]
    model_groups: Mapping[str, ModelGroupEntry]
    models: Mapping[str, ModelEntry]
    tiers: Mapping[str, TierEntry]
    organizations: Mapping[str, OrganizationEntry]
