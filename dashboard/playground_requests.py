"""A request of the log, to be tried again in the Playground."""

from __future__ import annotations

import dataclasses

from admin_api.queries.member_workspaces import playground_workspaces
from dashboard.place import Place
from gateway.models import UsageEvent


@dataclasses.dataclass(frozen=True)
class Logged:
    """`content` is what it asked, as the script of the Playground takes it; without stored content its model alone."""

    request_id: str
    workspace_id: str
    content: dict[str, object]
    whole: bool = False


def logged(place: Place, request_id: str) -> Logged | None:
    """None for what is not there, or was asked in a workspace that is not the member's to use."""
    workspaces = playground_workspaces(place.membership).values("id")
    rows = UsageEvent.objects.filter(organization_id=place.organization.id, request_id=request_id)
    found = rows.filter(workspace_id__in=workspaces).order_by("-attempt").first()
    if found is None:
        return None
    return Logged(found.request_id, found.workspace_id, {"model": found.model})
