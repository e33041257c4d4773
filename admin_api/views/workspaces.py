from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from admin_api import access, pages
from admin_api.actions import workspaces
from admin_api.operation import id_page_of, operation
from admin_api.queries import workspaces as queries
from admin_api.serializers.base import EmptyBody
from admin_api.serializers.workspaces import (
    WorkspaceCreate,
    WorkspaceListQuery,
    WorkspaceSerializer,
    WorkspaceUpdate,
)
from admin_api.views.base import AdminApiView, id_page
from gateway.models import Workspace


class WorkspacesView(AdminApiView):
    """`/v1/organizations/workspaces`."""

    @operation(query=WorkspaceListQuery, answer=id_page_of(WorkspaceSerializer), refusals=())
    def get(self, request: Request) -> Response:
        """List the workspaces of the organization, the newest first."""
        asked = self.query(WorkspaceListQuery)
        rows = queries.workspaces(
            self.organization,
            include_archived=asked["include_archived"],
            include_default=asked["include_default"],
            ids=asked["ids"],
        )
        among = Workspace.objects.filter(organization=self.organization)
        return id_page(pages.by_id(rows, asked, among=among), WorkspaceSerializer)

    @operation(body=WorkspaceCreate, answer=WorkspaceSerializer, refusals=())
    def post(self, request: Request) -> Response:
        """Make a workspace. An organization has at most 100 beside its default one."""
        made = workspaces.create(
            actor=self.actor, organization=self.organization, **self.body(WorkspaceCreate)
        )
        return Response(WorkspaceSerializer(made).data)


class WorkspaceView(AdminApiView):
    """`/v1/organizations/workspaces/{workspace_id}`."""

    @operation(answer=WorkspaceSerializer)
    def get(self, request: Request, workspace_id: str) -> Response:
        """Get one workspace."""
        return Response(WorkspaceSerializer(access.workspace(self.organization, workspace_id)).data)

    @operation(body=WorkspaceUpdate, answer=WorkspaceSerializer)
    def post(self, request: Request, workspace_id: str) -> Response:
        """Change a workspace; what is not given stays. The default one and archived ones cannot be changed."""
        workspace = access.workspace(self.organization, workspace_id)
        changed = workspaces.update(actor=self.actor, workspace=workspace, **self.body(WorkspaceUpdate))
        return Response(WorkspaceSerializer(changed).data)


class WorkspaceArchiveView(AdminApiView):
    """`/v1/organizations/workspaces/{workspace_id}/archive`."""

    @operation(body=EmptyBody, answer=WorkspaceSerializer)
    def post(self, request: Request, workspace_id: str) -> Response:
        """Archive a workspace and its keys, which stop working. This cannot be undone."""
        self.body(EmptyBody)
        workspace = access.workspace(self.organization, workspace_id)
        return Response(WorkspaceSerializer(workspaces.archive(actor=self.actor, workspace=workspace)).data)
