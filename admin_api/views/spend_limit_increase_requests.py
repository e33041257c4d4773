from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from admin_api import access, pages
from admin_api.actions import spend_limit_increase_requests as actions
from admin_api.operation import cursor_page_of, operation
from admin_api.pages import CursorPage
from admin_api.queries import spend_limit_increase_requests as queries
from admin_api.queries.spend_summaries import spend_summary
from admin_api.serializers.spend_limit_increase_requests import (
    IncreaseRequestApprove,
    IncreaseRequestApprovedSerializer,
    IncreaseRequestCreate,
    IncreaseRequestDeny,
    IncreaseRequestListQuery,
    IncreaseRequestSerializer,
)
from admin_api.views.base import AdminApiView, cursor_page
from gateway.models import SpendLimitIncreaseRequest


class IncreaseRequestsView(AdminApiView):
    """`/v1/organizations/spend_limit_increase_requests`."""

    @operation(query=IncreaseRequestListQuery, answer=cursor_page_of(IncreaseRequestSerializer), refusals=())
    def get(self, request: Request) -> Response:
        """List what members asked for, the newest first; pending requests say what is spent now."""
        asked = self.query(IncreaseRequestListQuery)
        rows = queries.increase_requests(
            self.organization, statuses=asked["status"], user_ids=asked["actor_ids"]
        )
        page: CursorPage[SpendLimitIncreaseRequest] = pages.by_cursor(
            rows, asked, organization=self.organization, of="spend_limit_increase_requests"
        )
        found = queries.petitions(self.organization, page.rows)
        return cursor_page(CursorPage(found, page.next_page), IncreaseRequestSerializer)

    @operation(body=IncreaseRequestCreate, answer=IncreaseRequestSerializer, refusals=(404, 409))
    def post(self, request: Request) -> Response:
        """Ask for a higher limit on behalf of a member. An addition of this gateway."""
        asked = self.body(IncreaseRequestCreate)
        membership = access.member(self.organization, asked.pop("user_id"))
        return _shown(self, actions.create(actor=self.actor, membership=membership, **asked))


class IncreaseRequestView(AdminApiView):
    """`/v1/organizations/spend_limit_increase_requests/{request_id}`."""

    @operation(answer=IncreaseRequestSerializer)
    def get(self, request: Request, request_id: str) -> Response:
        """Get one request; while it is pending with what is spent now."""
        return _shown(self, access.spend_limit_increase_request(self.organization, request_id))


class IncreaseRequestApproveView(AdminApiView):
    """`/v1/organizations/spend_limit_increase_requests/{request_id}/approve`."""

    @operation(body=IncreaseRequestApprove, answer=IncreaseRequestApprovedSerializer, refusals=(404, 409))
    def post(self, request: Request, request_id: str) -> Response:
        """Approve a pending request: the member has a limit of their own from now on, of this amount."""
        asked = self.body(IncreaseRequestApprove)
        row, limit = actions.approve(
            actor=self.actor,
            request=access.spend_limit_increase_request(self.organization, request_id),
            amount=asked["amount"],
            period=asked["period"],
            notify=not asked["suppress_notification"],
        )
        (petition,) = queries.petitions(self.organization, [row])
        summary = spend_summary(self.organization, row.user, limit.period)
        approval = queries.Approval(petition.row, summary, petition.resolver, limit)
        return Response(IncreaseRequestApprovedSerializer(approval).data)


class IncreaseRequestDenyView(AdminApiView):
    """`/v1/organizations/spend_limit_increase_requests/{request_id}/deny`."""

    @operation(body=IncreaseRequestDeny, answer=IncreaseRequestSerializer)
    def post(self, request: Request, request_id: str) -> Response:
        """Deny a request. One that is denied stays so; one that is approved cannot be denied."""
        notify = not self.body(IncreaseRequestDeny)["suppress_notification"]
        row = access.spend_limit_increase_request(self.organization, request_id)
        return _shown(self, actions.deny(actor=self.actor, request=row, notify=notify))


def _shown(view: AdminApiView, row: SpendLimitIncreaseRequest) -> Response:
    (petition,) = queries.petitions(view.organization, [row])
    return Response(IncreaseRequestSerializer(petition).data)
