from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from admin_api import access, pages
from admin_api.actions import workspace_members
from admin_api.operation import id_page_of, operation
from admin_api.queries import workspace_members as queries
from admin_api.queries.members import members
from admin_api.serializers.base import IdQuery
from admin_api.serializers.workspace_members import (
    WorkspaceMemberAdd,
    WorkspaceMemberRemovedSerializer,
    WorkspaceMemberSerializer,
    WorkspaceMemberUpdate,
)
from admin_api.views.base import AdminApiView, id_page


class WorkspaceMembersView(AdminApiView):
    """`/v1/organizations/workspaces/{workspace_id}/members`."""

    @operation(query=IdQuery, answer=id_page_of(WorkspaceMemberSerializer))
    def get(self, request: Request, workspace_id: str) -> Response:
        """List who works in a workspace, those who came last to the organization first.

        Admins and billing people of the organization are members of every workspace; everybody is one of the
        default workspace. Cursors are ids of users.
        """
        rows = queries.workspace_members(access.workspace(self.organization, workspace_id))
        asked, among = self.query(IdQuery), members(self.organization)
        return id_page(
            pages.by_id(rows, asked, among=among, id="user_id", at="added_at"),
            WorkspaceMemberSerializer,
            id="user_id",
        )

    @operation(body=WorkspaceMemberAdd, answer=WorkspaceMemberSerializer)
    def post(self, request: Request, workspace_id: str) -> Response:
        """Give a member of the organization a role in a workspace."""
        workspace = access.workspace(self.organization, workspace_id)
        asked = self.body(WorkspaceMemberAdd)
        added = workspace_members.add(
            actor=self.actor,
            workspace=workspace,
            membership=access.member(self.organization, asked["user_id"]),
            role=asked["workspace_role"],
        )
        return Response(WorkspaceMemberSerializer(added).data)


class WorkspaceMemberView(AdminApiView):
    """`/v1/organizations/workspaces/{workspace_id}/members/{user_id}`."""

    @operation(answer=WorkspaceMemberSerializer)
    def get(self, request: Request, workspace_id: str, user_id: str) -> Response:
        """Get one member of a workspace, with the role that counts there."""
        workspace = access.workspace(self.organization, workspace_id)
        return Response(WorkspaceMemberSerializer(access.workspace_member(workspace, user_id)).data)

    @operation(body=WorkspaceMemberUpdate, answer=WorkspaceMemberSerializer)
    def post(self, request: Request, workspace_id: str, user_id: str) -> Response:
        """Give a member of a workspace another role, unless it comes from the organization."""
        workspace = access.workspace(self.organization, workspace_id)
        member = access.workspace_member(workspace, user_id)
        changed = workspace_members.set_role(
            actor=self.actor,
            workspace=workspace,
            user_id=member.user_id,
            role=self.body(WorkspaceMemberUpdate)["workspace_role"],
        )
        return Response(WorkspaceMemberSerializer(changed).data)

    @operation(answer=WorkspaceMemberRemovedSerializer)
    def delete(self, request: Request, workspace_id: str, user_id: str) -> Response:
        """Remove a member from a workspace, unless the role comes from the organization."""
        workspace = access.workspace(self.organization, workspace_id)
        member = access.workspace_member(workspace, user_id)
        workspace_members.remove(actor=self.actor, workspace=workspace, user_id=member.user_id)
        return Response(WorkspaceMemberRemovedSerializer(member).data)
