"""One membership, asked for from both of its sides."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from admin_api import access, pages
from admin_api.actions import service_account_workspaces
from admin_api.operation import cursor_page_of, operation
from admin_api.pages import CursorPage
from admin_api.queries import service_accounts as queries
from admin_api.serializers.base import PageQuery
from admin_api.serializers.service_accounts import (
    PlaceInWorkspace,
    PlaceOfServiceAccount,
    PlaceRole,
    ServiceAccountWorkspaceRemovedSerializer,
    ServiceAccountWorkspaceSerializer,
)
from admin_api.views.base import AdminApiView, cursor_page
from gateway.errors import InvalidRequest
from gateway.models import Organization, ServiceAccount, ServiceAccountWorkspace, Workspace

PAGE = cursor_page_of(ServiceAccountWorkspaceSerializer)


class MembershipView(AdminApiView):
    """What both sides do with a membership."""

    def give(self, workspace: Workspace, account: ServiceAccount, role: str) -> Response:
        place = service_account_workspaces.add(
            actor=self.actor, workspace=workspace, service_account=account, role=role
        )
        return Response(ServiceAccountWorkspaceSerializer(place).data)

    def take(self, workspace_id: str, service_account_id: str) -> Response:
        service_account_workspaces.remove(
            actor=self.actor,
            workspace=access.workspace(self.organization, workspace_id),
            service_account=access.service_account(self.organization, service_account_id),
        )
        ids = {"workspace_id": workspace_id, "service_account_id": service_account_id}
        return Response(ServiceAccountWorkspaceRemovedSerializer(ids).data)


class ServiceAccountWorkspacesView(MembershipView):
    """`/v1/organizations/service_accounts/{service_account_id}/workspaces`."""

    @operation(query=PageQuery, answer=PAGE)
    def get(self, request: Request, service_account_id: str) -> Response:
        """List where a service account has a role, archived workspaces too; an archived one has none.

        What it implicitly is in the default workspace comes first, on the first page, which has one entry more
        than asked for where that is 1. A page whose last entry has been removed has no next one.
        """
        asked = self.query(PageQuery)
        account = access.service_account(self.organization, service_account_id)
        first = [] if "page" in asked else _implicit(self.organization, account)
        places = queries.places_of(account)
        page: CursorPage[ServiceAccountWorkspace] = pages.by_cursor(
            places,
            asked | {"limit": max(1, asked["limit"] - len(first))},
            organization=self.organization,
            of=f"service_accounts/{account.id}/workspaces",
            among=places,
            at="added_at",
        )
        return cursor_page(
            CursorPage([*first, *page.rows], page.next_page), ServiceAccountWorkspaceSerializer
        )

    @operation(body=PlaceInWorkspace, answer=ServiceAccountWorkspaceSerializer)
    def post(self, request: Request, service_account_id: str) -> Response:
        """Give a service account a role in a workspace; it replaces the one it has there."""
        account = access.service_account(self.organization, service_account_id)
        given = self.body(PlaceInWorkspace)
        return self.give(
            access.workspace(self.organization, given["workspace_id"]), account, given["workspace_role"]
        )


class ServiceAccountWorkspaceView(MembershipView):
    """`/v1/organizations/service_accounts/{service_account_id}/workspaces/{workspace_id}`."""

    @operation(answer=ServiceAccountWorkspaceRemovedSerializer)
    def delete(self, request: Request, service_account_id: str, workspace_id: str) -> Response:
        """Take a service account's role in a workspace away; done twice, it is the same."""
        return self.take(workspace_id, service_account_id)


class WorkspaceServiceAccountsView(MembershipView):
    """`/v1/organizations/workspaces/{workspace_id}/service_accounts`."""

    @operation(query=PageQuery, answer=PAGE)
    def get(self, request: Request, workspace_id: str) -> Response:
        """List the service accounts that were given a role in a workspace."""
        asked = self.query(PageQuery)
        workspace = _live(access.workspace(self.organization, workspace_id))
        page: CursorPage[ServiceAccountWorkspace] = pages.by_cursor(
            queries.places_in(workspace),
            asked,
            organization=self.organization,
            of=f"workspaces/{workspace.id}/service_accounts",
            at="added_at",
        )
        return cursor_page(page, ServiceAccountWorkspaceSerializer)

    @operation(body=PlaceOfServiceAccount, answer=ServiceAccountWorkspaceSerializer)
    def post(self, request: Request, workspace_id: str) -> Response:
        """Give a service account a role in a workspace; it replaces the one it has there."""
        workspace = access.workspace(self.organization, workspace_id)
        given = self.body(PlaceOfServiceAccount)
        account = access.service_account(self.organization, given["service_account_id"])
        return self.give(workspace, account, given["workspace_role"])


class WorkspaceServiceAccountView(MembershipView):
    """`/v1/organizations/workspaces/{workspace_id}/service_accounts/{service_account_id}`."""

    @operation(answer=ServiceAccountWorkspaceSerializer)
    def get(self, request: Request, workspace_id: str, service_account_id: str) -> Response:
        """Get a service account's role in a workspace."""
        workspace = _live(access.workspace(self.organization, workspace_id))
        account = access.service_account(self.organization, service_account_id)
        place = access.service_account_place(workspace, account)
        return Response(ServiceAccountWorkspaceSerializer(place).data)

    @operation(body=PlaceRole, answer=ServiceAccountWorkspaceSerializer)
    def post(self, request: Request, workspace_id: str, service_account_id: str) -> Response:
        """Change the role that a service account was given in a workspace."""
        place = service_account_workspaces.set_role(
            actor=self.actor,
            workspace=access.workspace(self.organization, workspace_id),
            service_account=access.service_account(self.organization, service_account_id),
            role=self.body(PlaceRole)["workspace_role"],
        )
        return Response(ServiceAccountWorkspaceSerializer(place).data)

    @operation(answer=ServiceAccountWorkspaceRemovedSerializer)
    def delete(self, request: Request, workspace_id: str, service_account_id: str) -> Response:
        """Take a service account's role in a workspace away; done twice, it is the same."""
        return self.take(workspace_id, service_account_id)


def _live(workspace: Workspace) -> Workspace:
    if workspace.archived_at is not None:
        raise InvalidRequest(f"The workspace {workspace.name!r} is archived.")
    return workspace


def _implicit(organization: Organization, account: ServiceAccount) -> list[ServiceAccountWorkspace]:
    """What it is in the default workspace, unless it was given a role there or is archived."""
    default = access.default_workspace(organization)
    given = queries.places_of(account).filter(workspace=default).exists()
    return [] if given or account.archived_at is not None else [queries.implicit_place(account, default)]
