"""What would change if the catalog's models cost what their providers publish."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Collection

from admin_api.catalog import Rates
from admin_api.changes import Change, differences
from admin_api.queries import catalog
from gateway.errors import NotFound
from gateway.models import Model, Provider, Route
from gateway.models.catalog import Origin
from gateway.price_list.published import Unpublished, published


@dataclasses.dataclass(frozen=True)
class Proposal:
    """A model, where it is served, and its published price; without one `note` tells why.

    With one `note` names other places where it costs something else.
    """

    model: Model
    place: str
    price: Rates | None
    changes: list[Change]
    note: str = ""


def proposals(now: datetime.datetime, names: Collection[str] = ()) -> list[Proposal]:
    """For every configured model, or for those with these names; in the order of their names.

    Raises `NotFound` for a name that no configured model has.
    """
    rows = catalog.models().filter(origin=Origin.CONFIGURED).order_by("name")
    if names:
        rows = rows.filter(name__in=names)
    found = list(rows)
    missing = sorted(set(names) - {row.name for row in found})
    if missing:
        raise NotFound(f"There is no configured model {', '.join(missing)}.")
    return [_proposal(row, now) for row in found]


def _proposal(row: Model, now: datetime.datetime) -> Proposal:
    """By the first route that the list knows, in the order in which requests take them."""
    routes = sorted(row.routes.all(), key=lambda route: (route.priority, -route.weight, route.pk))
    unknown: list[str] = []
    known: list[tuple[str, Rates]] = []
    for route in routes:
        try:
            known.append((_place(route), _published(route, now)))
        except Unpublished as reason:
            unknown.append(f"{_place(route)}: {reason}")
    if not known:
        return Proposal(row, "", None, [], "; ".join(unknown) or "it has no routes")
    (place, price), *others = known
    dearer = [f"{other} costs something else" for other, rates in others if rates != price]
    return Proposal(row, place, price, _changes(row, price), "; ".join([*dearer, *unknown]))


def _published(route: Route, now: datetime.datetime) -> Rates:
    provider = route.provider
    if provider.dialect == Provider.Dialect.SIMULATOR:
        raise Unpublished("the simulator asks for no money")
    return published(provider.preset, provider.base_url, route.upstream_model, now)


def _place(route: Route) -> str:
    return f"{route.provider.name}/{route.upstream_model}"


def _changes(row: Model, price: Rates) -> list[Change]:
    columns = price.columns()
    (current,) = row.current_prices or (None,)
    old = {name: getattr(current, name) for name in columns} if current else {}
    return differences(old, columns)
