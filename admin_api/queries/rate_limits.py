"""The rate limits of an organization and of its workspaces, by what is counted together.

Each group of models that the organization has models in counts by itself, so do those without a group, message
batches, and counting tokens.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal

from admin_api.queries.available_models import available_in, available_models
from gateway.directory.catalog import Catalog
from gateway.errors import NotFound
from gateway.ids import derived_id
from gateway.limit_pools import BATCH, DEFAULT, TOKEN_COUNT, limits_of
from gateway.limiters import LIMIT_NAMES
from gateway.models import ModelGroup, Organization, Workspace

GroupType = Literal["model_group", "batch", "token_count", "files", "skills", "web_search"]

# The pools that are no group of models.
_OTHERS: dict[str, GroupType] = {BATCH: "batch", TOKEN_COUNT: "token_count"}


@dataclasses.dataclass(frozen=True)
class Group:
    """What is counted together in a pool; only groups of models have a name for people."""

    pool: str
    display_name: str | None = None

    @property
    def type(self) -> GroupType:
        return _OTHERS.get(self.pool, "model_group")

    @property
    def id(self) -> str:
        """The same in every organization."""
        return derived_id("rlg", *self._origin)

    def entry_id(self, organization: Organization) -> str:
        """Of this group's limits in one organization."""
        return derived_id("rl", str(organization.id), *self._origin)

    @property
    def _origin(self) -> tuple[str, ...]:
        """What ids are made of, which never change: the first group that there was had all models."""
        if self.pool == DEFAULT:
            return ("all_models",)
        return (self.pool,) if self.pool in _OTHERS else ("model_group", self.pool)


ALL_MODELS = Group(DEFAULT, "All models")
OTHER_MODELS = Group(DEFAULT, "Other models")


@dataclasses.dataclass(frozen=True)
class Limit:
    """`type` is one of `LIMIT_NAMES`."""

    type: str
    value: int


@dataclasses.dataclass(frozen=True)
class RateLimit:
    """An organization's limits of one group; `models` is None for what is no group of models."""

    id: str
    group: Group
    limits: Sequence[Limit]
    models: Sequence[str] | None


@dataclasses.dataclass(frozen=True)
class WorkspaceLimit:
    """`value` is the workspace's own, or the organization's where `source` says so."""

    type: str
    value: int
    org_limit: int | None
    source: Literal["workspace", "organization"]


@dataclasses.dataclass(frozen=True)
class WorkspaceRateLimit:
    """A workspace's limits of one group; `models` as above."""

    rate_limit_id: str
    workspace_id: str
    group: Group
    limits: Sequence[WorkspaceLimit]
    models: Sequence[str] | None


def rate_limits(
    organization: Organization, *, group_type: str | None = None, model: str | None = None
) -> list[RateLimit]:
    """Every group's limits; with `model` only those that a model of this name counts under.

    Raises `NotFound` where the organization has no such model.
    """
    catalog = available_models(organization)
    entries = [_rate_limit(organization, group, catalog) for group in _groups(catalog)]
    if model is not None:
        found = catalog.find(model)
        if found is None:
            raise NotFound(f"model: {model}")
        entries = [entry for entry in entries if entry.group.pool == found.group]
    return [
        entry
        for entry in entries
        if group_type in (None, entry.group.type) and (entry.limits or entry.models is not None)
    ]


def workspace_rate_limits(
    organization: Organization,
    workspace: Workspace,
    *,
    group_type: str | None = None,
    include_inherited: bool = False,
) -> list[WorkspaceRateLimit]:
    """Groups in which the workspace has limits of its own, and only these; or all groups with all limits."""
    models = available_models(organization)
    available = available_in(workspace, models)
    found = [
        _workspace_rate_limit(organization, workspace, group, available, include_inherited)
        for group in _groups(models)
        if group_type in (None, group.type)
    ]
    return [entry for entry in found if entry.limits]


def workspace_rate_limit(
    organization: Organization, workspace: Workspace, group: Group
) -> WorkspaceRateLimit:
    """The workspace's own limits of one group, even if there are none."""
    available = available_models(organization, workspace)
    return _workspace_rate_limit(organization, workspace, group, available, include_inherited=False)


def counted_together(organization: Organization) -> list[tuple[Group, Sequence[str]]]:
    """Every group, whether it has limits or not, with the names of its models."""
    catalog = available_models(organization)
    return [(group, _names(group, catalog) or []) for group in _groups(catalog)]


def groups(organization: Organization) -> list[Group]:
    """Everything that is counted together, with limits or without."""
    return _groups(available_models(organization))


def group_of(organization: Organization, rate_limit_id: str) -> Group:
    """The group whose limits have this id in this organization. Raises `NotFound`."""
    for group in _groups(available_models(organization)):
        if group.entry_id(organization) == rate_limit_id:
            return group
    raise NotFound("Rate limit not found.")


def _groups(catalog: Catalog) -> list[Group]:
    """Groups of models by name, those without one after them, then what is no group of models."""
    pools = {model.group for model in catalog.models}
    named = ModelGroup.objects.filter(name__in=pools).order_by("display_name", "name")
    groups = [Group(group.name, group.display_name) for group in named]
    if DEFAULT in pools or not groups:
        groups.append(OTHER_MODELS if groups else ALL_MODELS)
    return [*groups, *map(Group, _OTHERS)]


def _rate_limit(organization: Organization, group: Group, catalog: Catalog) -> RateLimit:
    values = organization.effective_limits(group.pool)
    limits = [Limit(name, values[name]) for name in LIMIT_NAMES if name in values]
    return RateLimit(group.entry_id(organization), group, limits, _names(group, catalog))


def _workspace_rate_limit(
    organization: Organization,
    workspace: Workspace,
    group: Group,
    available: Catalog,
    include_inherited: bool,
) -> WorkspaceRateLimit:
    return WorkspaceRateLimit(
        rate_limit_id=group.entry_id(organization),
        workspace_id=workspace.id,
        group=group,
        limits=_workspace_limits(organization, workspace, group.pool, include_inherited),
        models=_names(group, available),
    )


def _workspace_limits(
    organization: Organization, workspace: Workspace, pool: str, include_inherited: bool
) -> list[WorkspaceLimit]:
    inherited = organization.effective_limits(pool)
    own = limits_of(pool, workspace.limits, workspace.group_limits)
    limits = []
    for name in LIMIT_NAMES:
        value, above = own.get(name), inherited.get(name)
        if value is not None:
            limits.append(WorkspaceLimit(name, value, above, "workspace"))
        elif above is not None and include_inherited:
            limits.append(WorkspaceLimit(name, above, above, "organization"))
    return limits


def _names(group: Group, catalog: Catalog) -> list[str] | None:
    """All names of the models in the group; None for what is no group of models."""
    if group.type != "model_group":
        return None
    return [name for model in catalog.models if model.group == group.pool for name in model.names]
