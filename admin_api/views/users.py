from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from admin_api import access, pages
from admin_api.actions import memberships
from admin_api.operation import id_page_of, operation
from admin_api.queries.members import members
from admin_api.serializers.users import UserListQuery, UserRemovedSerializer, UserSerializer, UserUpdate
from admin_api.views.base import AdminApiView, id_page


class UsersView(AdminApiView):
    """`/v1/organizations/users`."""

    @operation(query=UserListQuery, answer=id_page_of(UserSerializer), refusals=())
    def get(self, request: Request) -> Response:
        """List the members of the organization, those who came last first."""
        asked = self.query(UserListQuery)
        rows = members(self.organization, email=asked.get("email"), roles=asked["roles"])
        among = members(self.organization)
        return id_page(pages.by_id(rows, asked, among=among, id="user_id", at="added_at"), UserSerializer)


class UserView(AdminApiView):
    """`/v1/organizations/users/{user_id}`."""

    @operation(answer=UserSerializer)
    def get(self, request: Request, user_id: str) -> Response:
        """Get one member."""
        return Response(UserSerializer(access.member(self.organization, user_id)).data)

    @operation(body=UserUpdate, answer=UserSerializer)
    def post(self, request: Request, user_id: str) -> Response:
        """Give a member another role. The last admin stays one."""
        membership = access.member(self.organization, user_id)
        changed = memberships.set_role(actor=self.actor, membership=membership, **self.body(UserUpdate))
        return Response(UserSerializer(changed).data)

    @operation(answer=UserRemovedSerializer)
    def delete(self, request: Request, user_id: str) -> Response:
        """Remove a member, from every workspace too; keys that act for them are archived."""
        memberships.remove(actor=self.actor, membership=access.member(self.organization, user_id))
        return Response(UserRemovedSerializer({"id": user_id}).data)
