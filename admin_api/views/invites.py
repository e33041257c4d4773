from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from admin_api import access, mail, pages
from admin_api.actions import invites
from admin_api.operation import id_page_of, operation
from admin_api.queries import invites as queries
from admin_api.serializers.invites import (
    InviteCreate,
    InviteCreatedSerializer,
    InviteDeletedSerializer,
    InviteListQuery,
    InviteSerializer,
)
from admin_api.views.base import AdminApiView, id_page
from gateway.models import User


class InvitesView(AdminApiView):
    """`/v1/organizations/invites`."""

    @operation(query=InviteListQuery, answer=id_page_of(InviteSerializer), refusals=())
    def get(self, request: Request) -> Response:
        """List who is and was invited, the newest first, save what was deleted."""
        asked = self.query(InviteListQuery)
        rows = queries.invites(
            self.organization, email=asked.get("email"), roles=asked["roles"], statuses=asked["statuses"]
        )
        among = self.organization.invites.all()
        return id_page(pages.by_id(rows, asked, among=among, at="invited_at"), InviteSerializer)

    @operation(body=InviteCreate, answer=InviteCreatedSerializer, refusals=())
    def post(self, request: Request) -> Response:
        """Invite somebody. The link is mailed to them; where the gateway sends no mail, the answer has it."""
        mailing = mail.leaves()
        invite, token = invites.create(
            actor=self.actor,
            organization=self.organization,
            invited_by=request.user if isinstance(request.user, User) else None,
            mailing="at once" if mailing else "not",
            **self.body(InviteCreate),
        )
        context = {"url": None if mailing else invites.link(token)}
        return Response(InviteCreatedSerializer(invite, context=context).data)


class InviteView(AdminApiView):
    """`/v1/organizations/invites/{invite_id}`."""

    @operation(answer=InviteSerializer)
    def get(self, request: Request, invite_id: str) -> Response:
        """Get one invite, also one that was deleted."""
        return Response(InviteSerializer(access.invite(self.organization, invite_id)).data)

    @operation(answer=InviteDeletedSerializer)
    def delete(self, request: Request, invite_id: str) -> Response:
        """Take a pending invite back; its link is dead at once."""
        invites.withdraw(actor=self.actor, invite=access.invite(self.organization, invite_id))
        return Response(InviteDeletedSerializer({"id": invite_id}).data)
