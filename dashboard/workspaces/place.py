"""The pages of one workspace: which one, and what the signed-in person may do there."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec

from django.http import HttpRequest, HttpResponse

from admin_api import access
from admin_api.queries.member_workspaces import managed_workspaces
from dashboard.frame.place import Place, member_page
from gateway.errors import PermissionDenied
from gateway.models import Workspace

P = ParamSpec("P")


@dataclasses.dataclass(frozen=True)
class Here:
    """`manages` is true for admins and for who runs the workspace, whatever its state."""

    place: Place
    workspace: Workspace
    manages: bool

    @property
    def may_edit(self) -> bool:
        return self.manages and self.workspace.archived_at is None

    @property
    def context(self) -> dict[str, object]:
        """What every page of a workspace shows."""
        return {"workspace": self.workspace, "may_edit": self.may_edit, "manages": self.manages}


View = Callable[Concatenate[HttpRequest, Here, P], HttpResponse]
Page = Callable[Concatenate[HttpRequest, P], HttpResponse]


def workspace_page(view: View[P]) -> Page[Concatenate[str, P]]:
    """For who may read the pages of the workspace `id`; to others it is as absent as none."""

    @functools.wraps(view)
    def page(request: HttpRequest, place: Place, id: str, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        workspace = access.visible_workspace(place.membership, id)
        manages = managed_workspaces(place.membership).filter(pk=workspace.pk).exists()
        return view(request, Here(place, workspace, manages), *args, **kwargs)

    return member_page(page)


def managing(view: View[P]) -> View[P]:
    """Below `workspace_page`: a page for who may change the workspace. Raises `PermissionDenied`."""

    @functools.wraps(view)
    def page(request: HttpRequest, here: Here, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not here.manages:
            raise PermissionDenied("Only admins and who runs this workspace change it.")
        return view(request, here, *args, **kwargs)

    return page
