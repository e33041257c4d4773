from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from admin_api import access, pages
from admin_api.actions import workspaces
from admin_api.operation import cursor_page_of, operation
from admin_api.queries import rate_limits
from admin_api.serializers.rate_limits import (
    RateLimitListQuery,
    RateLimitSerializer,
    WorkspaceRateLimitListQuery,
    WorkspaceRateLimitSerializer,
    WorkspaceRateLimitUpdate,
)
from admin_api.views.base import AdminApiView, cursor_page


class RateLimitsView(AdminApiView):
    """`/v1/organizations/rate_limits`."""

    @operation(query=RateLimitListQuery, answer=cursor_page_of(RateLimitSerializer))
    def get(self, request: Request) -> Response:
        """List the rate limits of the organization: those of its tier, with its own in their place.

        Each group of models counts by itself, and so do models without a group, message batches and counting
        tokens; `models` are those that may be used. Without a limit the latter two are not listed.
        """
        asked = self.query(RateLimitListQuery)
        found = rate_limits.rate_limits(
            self.organization, group_type=asked.get("group_type"), model=asked.get("model")
        )
        page = pages.of_list(
            found, asked, organization=self.organization, of="rate_limits", key=lambda entry: entry.id
        )
        return cursor_page(page, RateLimitSerializer)


class WorkspaceRateLimitsView(AdminApiView):
    """`/v1/organizations/workspaces/{workspace_id}/rate_limits`."""

    @operation(query=WorkspaceRateLimitListQuery, answer=cursor_page_of(WorkspaceRateLimitSerializer))
    def get(self, request: Request, workspace_id: str) -> Response:
        """List a workspace's own rate limits, and on request what it inherits. The tighter one holds."""
        workspace = access.workspace(self.organization, workspace_id)
        asked = self.query(WorkspaceRateLimitListQuery)
        found = rate_limits.workspace_rate_limits(
            self.organization,
            workspace,
            group_type=asked.get("group_type"),
            include_inherited=asked["include_inherited"],
        )
        of = f"rate_limits:{workspace.id}"
        page = pages.of_list(
            found, asked, organization=self.organization, of=of, key=lambda entry: entry.rate_limit_id
        )
        return cursor_page(page, WorkspaceRateLimitSerializer)


class WorkspaceRateLimitView(AdminApiView):
    """`/v1/organizations/workspaces/{workspace_id}/rate_limits/{rate_limit_id}`."""

    @operation(body=WorkspaceRateLimitUpdate, answer=WorkspaceRateLimitSerializer)
    def post(self, request: Request, workspace_id: str, rate_limit_id: str) -> Response:
        """Set rate limits of a workspace, or take them away again; effective within a second.

        A limit above the organization's is kept, but the organization's holds as well. The default workspace
        takes none of its own.
        """
        workspace = access.workspace(self.organization, workspace_id)
        group = rate_limits.group_of(self.organization, rate_limit_id)
        limits = self.body(WorkspaceRateLimitUpdate)["limits"]
        changed = workspaces.set_limits(actor=self.actor, workspace=workspace, pool=group.pool, limits=limits)
        entry = rate_limits.workspace_rate_limit(self.organization, changed, group)
        return Response(WorkspaceRateLimitSerializer(entry).data)
