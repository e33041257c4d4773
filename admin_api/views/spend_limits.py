from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from admin_api import access, pages
from admin_api.actions import spend_limits
from admin_api.operation import cursor_page_of, operation
from admin_api.pages import CursorPage
from admin_api.queries import spend_limits as queries
from admin_api.queries.spend_summaries import limited_members, spend_summaries
from admin_api.serializers.spend_limits import (
    EffectiveSpendLimitsQuery,
    SpendLimitListQuery,
    SpendLimitRemovedSerializer,
    SpendLimitSerializer,
    SpendLimitSet,
    SpendSummarySerializer,
)
from admin_api.views.base import AdminApiView, cursor_page
from gateway.models import Membership


class SpendLimitsView(AdminApiView):
    """`/v1/organizations/spend_limits`."""

    @operation(query=SpendLimitListQuery, answer=cursor_page_of(SpendLimitSerializer), refusals=())
    def get(self, request: Request) -> Response:
        """List the spend limits of the organization, its workspaces and its members, the newest first."""
        asked = self.query(SpendLimitListQuery)
        rows = queries.spend_limits(
            self.organization, scope_types=asked["scope_type"], workspace_id=asked.get("workspace_id")
        )
        return cursor_page(
            pages.by_cursor(rows, asked, organization=self.organization, of="spend_limits"),
            SpendLimitSerializer,
        )

    @operation(body=SpendLimitSet, answer=SpendLimitSerializer)
    def post(self, request: Request) -> Response:
        """Set a spend limit: a scope has at most one for each period, which this makes or changes.

        A request whose worst case does not fit is refused with 429 `billing_error`, within a second from now on.
        """
        asked = self.body(SpendLimitSet)
        limit = spend_limits.set_amount(
            actor=self.actor,
            organization=self.organization,
            period=asked["period"],
            amount=asked["amount"],
            **self._scope(asked["scope"]),
        )
        return Response(SpendLimitSerializer(limit).data)

    def _scope(self, scope: dict[str, str]) -> dict[str, Any]:
        """As the action takes it. Raises `NotFound`."""
        if "workspace_id" in scope:
            return {"workspace": access.workspace(self.organization, scope["workspace_id"])}
        if "user_id" in scope:
            return {"user": access.member(self.organization, scope["user_id"]).user}
        return {}


class SpendLimitView(AdminApiView):
    """`/v1/organizations/spend_limits/{spend_limit_id}`."""

    @operation(answer=SpendLimitSerializer)
    def get(self, request: Request, spend_limit_id: str) -> Response:
        """Get one spend limit."""
        return Response(SpendLimitSerializer(access.spend_limit(self.organization, spend_limit_id)).data)

    @operation(answer=SpendLimitRemovedSerializer)
    def delete(self, request: Request, spend_limit_id: str) -> Response:
        """Remove a spend limit. A member without one of their own has the organization's."""
        limit = access.spend_limit(self.organization, spend_limit_id)
        spend_limits.remove(actor=self.actor, spend_limit=limit)
        return Response(SpendLimitRemovedSerializer({"id": spend_limit_id}).data)


class EffectiveSpendLimitsView(AdminApiView):
    """`/v1/organizations/spend_limits/effective`."""

    @operation(query=EffectiveSpendLimitsQuery, answer=cursor_page_of(SpendSummarySerializer), refusals=())
    def get(self, request: Request) -> Response:
        """List which spend limit holds for each member and period, and what is spent of it.

        Members who came last come first, those whom no limit holds are left out, and `limit` counts members:
        the rows of one are never on two pages. A member's spend is that of the keys that act for them.
        """
        asked = self.query(EffectiveSpendLimitsQuery)
        members: CursorPage[Membership] = pages.by_cursor(
            limited_members(self.organization, user_ids=asked["user_ids"], periods=asked["period"]),
            asked,
            organization=self.organization,
            of="effective_spend_limits",
            id="user_id",
            at="added_at",
        )
        users = [membership.user for membership in members.rows]
        found = spend_summaries(self.organization, users, periods=asked["period"])
        return cursor_page(CursorPage(found, members.next_page), SpendSummarySerializer)
