"""The models that an organization, or one of its workspaces, may use, under all their names."""

from __future__ import annotations

from collections.abc import Iterable

from django.conf import settings

from gateway.directory.catalog import Catalog, CatalogModel, catalog_of
from gateway.limit_pools import DEFAULT
from gateway.model_rules import rules_of
from gateway.models import Model, Organization, Workspace
from gateway.models.catalog import Origin


def available_models(organization: Organization, workspace: Workspace | None = None) -> Catalog:
    """As the data plane knows them, but without the ways to them. Two queries."""
    found = _permitted(_everybodys(), organization)
    return found if workspace is None else available_in(workspace, found)


def available_in(workspace: Workspace, models: Catalog) -> Catalog:
    """Of the organization's models those that the workspace may use. No query."""
    return _permitted(models, workspace)


def _permitted(catalog: Catalog, holder: Organization | Workspace) -> Catalog:
    rules = rules_of(("", holder.allowed_models, holder.denied_models))
    return catalog_of([one for one in catalog.models if all(rule.permit(one.names) for rule in rules)])


def _everybodys() -> Catalog:
    """What operators configured takes a name from the simulator, which is there only where it is switched on."""
    rows = list(Model.objects.order_by("name").select_related("group").prefetch_related("aliases"))
    groups = [_of(rows, Origin.CONFIGURED)]
    if settings.CONFIGURATION.simulator:
        groups.append(_of(rows, Origin.SIMULATOR))
    return catalog_of(*groups)


def _of(rows: Iterable[Model], origin: str) -> list[CatalogModel]:
    return [_model(row) for row in rows if row.origin == origin]


def _model(row: Model) -> CatalogModel:
    return CatalogModel(
        name=row.name,
        display_name=row.display_name,
        created_at=row.created_at,
        max_input_tokens=row.max_input_tokens,
        max_output_tokens=row.max_output_tokens,
        price=None,
        targets=(),
        aliases=tuple(sorted(alias.alias for alias in row.aliases.all())),
        group=row.group.name if row.group is not None else DEFAULT,
    )
