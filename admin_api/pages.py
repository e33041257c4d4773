"""Pages of lists, newest first: walked by the ids of objects in both directions, or by opaque cursors."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from django.core import signing
from django.db.models import Model, Q, QuerySet

from gateway.errors import InvalidRequest
from gateway.models import Organization

Row = TypeVar("Row", bound=Model)
Place = tuple[Any, str]  # of a row in its order
Item = TypeVar("Item")


@dataclasses.dataclass(frozen=True)
class IdPage(Generic[Row]):
    """`has_more` is about the direction that was asked for."""

    rows: Sequence[Row]
    has_more: bool


@dataclasses.dataclass(frozen=True)
class CursorPage(Generic[Item]):
    """`next_page` is None on the last page."""

    rows: Sequence[Item]
    next_page: str | None


def by_id(
    rows: QuerySet[Row],
    asked: Mapping[str, Any],
    *,
    among: QuerySet[Row],
    id: str = "id",
    at: str = "created_at",
) -> IdPage[Row]:
    """The page that `asked` (an `IdQuery`) wants of `rows`, which are ordered by `at` and `id` here: by their times, or
    by whatever else grows with each new row.

    `among` are all rows that a cursor may name, whatever the list is filtered by: the organization's. Another
    one's object and none at all are the same 400. Raises `InvalidRequest`.
    """
    limit = asked["limit"]
    if "before_id" in asked:
        place = _place(among, "before_id", asked["before_id"], id, at)
        found = list(rows.filter(_newer(place, id, at)).order_by(at, id)[: limit + 1])
        return IdPage(found[limit - 1 :: -1] if len(found) > limit else found[::-1], len(found) > limit)
    if "after_id" in asked:
        rows = rows.filter(_older(_place(among, "after_id", asked["after_id"], id, at), id, at))
    found = list(rows.order_by(f"-{at}", f"-{id}")[: limit + 1])
    return IdPage(found[:limit], len(found) > limit)


def by_cursor(
    rows: QuerySet[Row],
    asked: Mapping[str, Any],
    *,
    organization: Organization,
    of: str,
    among: QuerySet[Row] | None = None,
    id: str = "id",
    at: str = "created_at",
) -> CursorPage[Row]:
    """The page that `asked` (a `PageQuery`) wants; `of` names the list, since no list takes another's cursors.

    Where `among` is given, a cursor ends with the row that it was made of: one that is not there is refused.
    """
    if "page" in asked:
        moment, last = opened(asked["page"], organization=organization, of=of, parts=2)
        if among is not None and not among.filter(**{id: last}).exists():
            raise InvalidRequest("page: what it began after is gone; begin with the first page")
        rows = rows.filter(_older((datetime.datetime.fromisoformat(moment), last), id, at))
    limit = asked["limit"]
    found = list(rows.order_by(f"-{at}", f"-{id}")[: limit + 1])
    if len(found) <= limit:
        return CursorPage(found, None)
    last_row = found[limit - 1]
    position = [_value(last_row, at).isoformat(), _value(last_row, id)]
    return CursorPage(found[:limit], sealed(position, organization=organization, of=of))


def of_list(
    items: Sequence[Item],
    asked: Mapping[str, Any],
    *,
    organization: Organization,
    of: str,
    key: Callable[[Item], str],
) -> CursorPage[Item]:
    """The page of a short list that is no table, in its own order; without a `limit` all that is left.

    `key` tells the items apart. Where the item that a cursor stands behind is gone, so is the rest.
    """
    left = list(items)
    if "page" in asked:
        (last,) = opened(asked["page"], organization=organization, of=of, parts=1)
        keys = [key(item) for item in left]
        left = left[keys.index(last) + 1 :] if last in keys else []
    page = left[: asked.get("limit", len(left))]
    if len(page) == len(left):
        return CursorPage(page, None)
    return CursorPage(page, sealed([key(page[-1])], organization=organization, of=of))


def sealed(position: Sequence[str], *, organization: Organization, of: str) -> str:
    """A cursor that only this list of this organization takes: what it holds is signed, not secret."""
    return "page_" + signing.dumps(list(position), salt=_salt(organization, of))


def opened(page: str, *, organization: Organization, of: str, parts: int) -> list[str]:
    """The position in a cursor. Raises `InvalidRequest` for anything but a cursor of this very list."""
    try:
        position = signing.loads(page.removeprefix("page_"), salt=_salt(organization, of))
    except signing.BadSignature:
        raise InvalidRequest("page: not a page of this list") from None
    if not isinstance(position, list) or len(position) != parts:
        raise InvalidRequest("page: not a page of this list")
    return position


def _salt(organization: Organization, of: str) -> str:
    return f"admin_api.pages:{organization.id}:{of}"


def _place(among: QuerySet[Row], field: str, cursor: str, id: str, at: str) -> Place:
    moment = None if "\x00" in cursor else among.filter(**{id: cursor}).values_list(at, flat=True).first()
    if moment is None:
        raise InvalidRequest(f"{field}: no object of this list has the id {cursor[:60]!r}")
    return moment, cursor


def _older(place: Place, id: str, at: str) -> Q:
    return Q(**{f"{at}__lte": place[0]}) & (Q(**{f"{at}__lt": place[0]}) | Q(**{f"{id}__lt": place[1]}))


def _newer(place: Place, id: str, at: str) -> Q:
    return Q(**{f"{at}__gte": place[0]}) & (Q(**{f"{at}__gt": place[0]}) | Q(**{f"{id}__gt": place[1]}))


def _value(row: Model, path: str) -> Any:
    """The value behind a field path such as `user__id`."""
    value: Any = row
    for name in path.split("__"):
        value = getattr(value, name)
    return value
