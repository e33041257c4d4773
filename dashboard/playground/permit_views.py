"""May who sends a message from the Playground send it? Asked by the gateway's own process before each message.

What a page of ours may not do is refused before this is reached: a token that is missing or wrong, another origin, a
session that has ended.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from admin_api import access
from admin_api.actions import playground_keys
from dashboard.frame.place import Place, actor_of, place_of
from gateway.errors import AuthenticationFailed, GatewayError, NotFound, PermissionDenied, envelope
from gateway.models import ApiKey, Workspace
from gateway.request_ids import request_id_of

WORKSPACE = "anthropic-workspace-id"
NOT_THERE = f"{WORKSPACE}: you may not send requests in that workspace"


@never_cache
@require_POST
def permit(request: HttpRequest) -> HttpResponse:
    """The id of the key that stands for this person in this workspace, or an error as the Messages API words it."""
    try:
        return JsonResponse({"api_key_id": _key(request).id})
    except GatewayError as error:
        body = envelope(error, request_id_of(request))
        return HttpResponse(body, status=error.status, content_type="application/json")


def _key(request: HttpRequest) -> ApiKey:
    if not request.user.is_authenticated:
        raise AuthenticationFailed("Your session has ended. Sign in again.")
    place = place_of(request)
    if place is None:
        raise PermissionDenied("You belong to no organization.")
    if place.organization.suspended_at is not None:
        raise PermissionDenied("This organization has been suspended.")
    workspace = _workspace(place, request.headers.get(WORKSPACE, ""))
    return playground_keys.take(actor=actor_of(request), member=place.membership, workspace=workspace)


def _workspace(place: Place, workspace_id: str) -> Workspace:
    """In the words of the data plane, where a workspace that is foreign is as one that is forbidden."""
    try:
        return access.playground_workspace(place.membership, workspace_id)
    except NotFound:
        raise PermissionDenied(NOT_THERE) from None
