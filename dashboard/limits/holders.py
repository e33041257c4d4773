"""Whose limits the page of limits shows: the organization's, and with it those of a workspace or of a key."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import cached_property

from django.db.models import Q, QuerySet

from admin_api.queries.api_keys import api_keys
from admin_api.queries.member_workspaces import member_workspaces
from admin_api.queries.workspaces import workspaces
from dashboard.frame.place import Place
from gateway.errors import NotFound
from gateway.limit_pools import limits_of
from gateway.models import ApiKey, Organization, Workspace

MOST_KEYS = 300  # to choose from; any other is reached by its id in the address


@dataclasses.dataclass(frozen=True)
class Holder:
    """`name` says whose limit it is, to people."""

    kind: str
    id: str
    name: str


@dataclasses.dataclass(frozen=True)
class Chosen:
    """The widest is the organization, which everything counts under."""

    place: Place
    workspace: Workspace | None = None
    key: ApiKey | None = None

    @property
    def organization(self) -> Organization:
        return self.place.organization

    @cached_property
    def holders(self) -> list[Holder]:
        found = [Holder("organization", str(self.organization.id), "Organization")]
        if self.workspace is not None:
            found.append(Holder("workspace", self.workspace.id, f"Workspace {self.workspace.name}"))
        if self.key is not None:
            found.append(Holder("api_key", self.key.id, f"Key {self.key.name}"))
        return found

    @property
    def parts(self) -> dict[str, str]:
        """The ids of workspace and key, by what they are."""
        return {holder.kind: holder.id for holder in self.holders[1:]}

    @property
    def spenders(self) -> dict[str, str]:
        """Whose spend limits hold beside the organization's: a key's are those of its member too, else one's own."""
        member = self.place.user.id if self.key is None else self.key.user_id
        return self.parts | ({"user": member} if member else {})

    @cached_property
    def refused(self) -> dict[str, object]:
        """What refusals are sought by: the key, the workspace, or all; for plain users their keys in any case."""
        if self.key is not None:
            return {"api_key_id": self.key.id}
        mine = {} if self.place.sees_all_usage else {"api_key_id__in": self._mine}
        return mine | ({"workspace_id": self.workspace.id} if self.workspace is not None else {})

    @property
    def _mine(self) -> list[str]:
        return list(keys(self.place).order_by("id").values_list("id", flat=True))

    def limits(self, kind: str, pool: str) -> dict[str, int]:
        """What one of the holders allows in a pool."""
        if kind == "organization":
            return self.organization.effective_limits(pool)
        part = self.workspace if kind == "workspace" else self.key
        assert part is not None
        found = limits_of(pool, part.limits, part.group_limits)
        return {name: value for name, value in found.items() if value is not None}


def choose(place: Place, workspace_id: str, key_id: str) -> Chosen:
    """A key brings its workspace along. Raises `NotFound` for what is not there, or not theirs to see."""
    if key_id:
        key = _found(keys(place), key_id)
        return Chosen(place, key.workspace, key)
    if workspace_id:
        return Chosen(place, _found(places(place), workspace_id))
    return Chosen(place)


def keys(place: Place) -> QuerySet[ApiKey]:
    """All of the organization's, for plain users those that they made or that act for them."""
    found = api_keys(place.organization).prefetch_related(None)
    if place.sees_all_usage:
        return found
    return found.filter(Q(created_by=place.user) | Q(user=place.user))


def places(place: Place) -> QuerySet[Workspace]:
    """All workspaces, for plain users those that they work in or have a key of."""
    found = workspaces(place.organization, include_default=True, include_archived=True)
    if place.sees_all_usage:
        return found
    mine = member_workspaces(place.membership).values("id")
    return found.filter(Q(id__in=mine) | Q(id__in=keys(place).values("workspace")))


def workspaces_to_choose(place: Place) -> Sequence[Workspace]:
    return list(places(place).filter(archived_at=None).order_by("-is_default", "name"))


def keys_to_choose(chosen: Chosen) -> Sequence[ApiKey]:
    """Those of the workspace that is chosen, else all: what works now, the newest first, and the chosen one."""
    found = keys(chosen.place).filter(status=ApiKey.Status.ACTIVE)
    if chosen.workspace is not None:
        found = found.filter(Q(workspace=chosen.workspace) | Q(workspace=None))
    listed = list(found.order_by("-created_at", "-id")[:MOST_KEYS])
    missing = chosen.key is not None and chosen.key.id not in {key.id for key in listed}
    return [chosen.key, *listed] if missing and chosen.key is not None else listed


def _found(rows: QuerySet, id: str):  # type: ignore[no-untyped-def] # of either kind
    row = None if "\x00" in id else rows.filter(id=id).first()
    if row is None:
        raise NotFound("There is no such workspace or key.")
    return row
