"""The rate limits of an organization and of its workspaces: groups of what is counted together.

Everything is counted over all models together today, so there is one group; another one is another row in
`GROUPS` with models of its own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal

from admin_api.queries.available_models import available_models
from gateway.directory.catalog import Catalog
from gateway.errors import NotFound
from gateway.ids import derived_id
from gateway.limiters import LIMIT_NAMES
from gateway.models import Organization, Workspace

GroupType = Literal["model_group", "batch", "token_count", "files", "skills", "web_search"]


@dataclasses.dataclass(frozen=True)
class Group:
    """What is counted together; `name` is only for ids, which never change while it does not."""

    name: str
    type: GroupType
    display_name: str

    @property
    def id(self) -> str:
        """The same in every organization."""
        return derived_id("rlg", self.name)

    def entry_id(self, organization: Organization) -> str:
        """Of this group's limits in one organization."""
        return derived_id("rl", str(organization.id), self.name)


ALL_MODELS = Group("all_models", "model_group", "All models")
GROUPS = (ALL_MODELS,)


@dataclasses.dataclass(frozen=True)
class Limit:
    """`type` is one of `LIMIT_NAMES`."""

    type: str
    value: int


@dataclasses.dataclass(frozen=True)
class RateLimit:
    """An organization's limits of one group."""

    id: str
    group: Group
    limits: Sequence[Limit]
    models: Sequence[str]


@dataclasses.dataclass(frozen=True)
class WorkspaceLimit:
    """`value` is the workspace's own, or the organization's where `source` says so."""

    type: str
    value: int
    org_limit: int | None
    source: Literal["workspace", "organization"]


@dataclasses.dataclass(frozen=True)
class WorkspaceRateLimit:
    """A workspace's limits of one group."""

    rate_limit_id: str
    workspace_id: str
    group: Group
    limits: Sequence[WorkspaceLimit]
    models: Sequence[str]


def rate_limits(
    organization: Organization, *, group_type: str | None = None, model: str | None = None
) -> list[RateLimit]:
    """Every group's limits; with `model` only those that a model of this name counts under.

    Raises `NotFound` where the organization has no such model.
    """
    catalog = available_models(organization)
    if model is not None and catalog.find(model) is None:
        raise NotFound(f"model: {model}")
    values = organization.effective_limits()
    limits = [Limit(name, values[name]) for name in LIMIT_NAMES if name in values]
    return [
        RateLimit(group.entry_id(organization), group, limits, _names(catalog))
        for group in GROUPS
        if group_type in (None, group.type)
    ]


def workspace_rate_limits(
    organization: Organization,
    workspace: Workspace,
    *,
    group_type: str | None = None,
    include_inherited: bool = False,
) -> list[WorkspaceRateLimit]:
    """Groups in which the workspace has limits of its own, and only these; or all groups with all limits."""
    found = [
        workspace_rate_limit(organization, workspace, group, include_inherited=include_inherited)
        for group in GROUPS
        if group_type in (None, group.type)
    ]
    return [entry for entry in found if entry.limits]


def workspace_rate_limit(
    organization: Organization, workspace: Workspace, group: Group, *, include_inherited: bool = False
) -> WorkspaceRateLimit:
    """The workspace's limits of one group, even if there are none."""
    return WorkspaceRateLimit(
        rate_limit_id=group.entry_id(organization),
        workspace_id=workspace.id,
        group=group,
        limits=_workspace_limits(organization, workspace, include_inherited),
        models=_names(available_models(organization, workspace)),
    )


def group_of(organization: Organization, rate_limit_id: str) -> Group:
    """The group whose limits have this id in this organization. Raises `NotFound`."""
    for group in GROUPS:
        if group.entry_id(organization) == rate_limit_id:
            return group
    raise NotFound("Rate limit not found.")


def _workspace_limits(
    organization: Organization, workspace: Workspace, include_inherited: bool
) -> list[WorkspaceLimit]:
    inherited, limits = organization.effective_limits(), []
    for name in LIMIT_NAMES:
        own, above = workspace.limits.get(name), inherited.get(name)
        if own is not None:
            limits.append(WorkspaceLimit(name, own, above, "workspace"))
        elif above is not None and include_inherited:
            limits.append(WorkspaceLimit(name, above, above, "organization"))
    return limits


def _names(catalog: Catalog) -> list[str]:
    return [name for model in catalog.models for name in model.names]
