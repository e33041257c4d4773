from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from admin_api import access, pages
from admin_api.actions import service_accounts
from admin_api.operation import cursor_page_of, operation
from admin_api.pages import CursorPage
from admin_api.queries import service_accounts as queries
from admin_api.serializers.base import EmptyBody
from admin_api.serializers.service_accounts import (
    ServiceAccountCreate,
    ServiceAccountListQuery,
    ServiceAccountSerializer,
    ServiceAccountUpdate,
)
from admin_api.views.base import AdminApiView, cursor_page
from gateway.models import ServiceAccount


class ServiceAccountsView(AdminApiView):
    """`/v1/organizations/service_accounts`."""

    @operation(query=ServiceAccountListQuery, answer=cursor_page_of(ServiceAccountSerializer), refusals=())
    def get(self, request: Request) -> Response:
        """List the service accounts of the organization, the newest first."""
        asked = self.query(ServiceAccountListQuery)
        rows = queries.service_accounts(self.organization, include_archived=asked["include_archived"])
        page: CursorPage[ServiceAccount] = pages.by_cursor(
            rows, asked, organization=self.organization, of="service_accounts"
        )
        return cursor_page(page, ServiceAccountSerializer)

    @operation(body=ServiceAccountCreate, answer=ServiceAccountSerializer, refusals=(409,))
    def post(self, request: Request) -> Response:
        """Make a service account, for which keys may act."""
        made = service_accounts.create(
            actor=self.actor, organization=self.organization, **self.body(ServiceAccountCreate)
        )
        return Response(ServiceAccountSerializer(made).data)


class ServiceAccountView(AdminApiView):
    """`/v1/organizations/service_accounts/{service_account_id}`."""

    @operation(answer=ServiceAccountSerializer)
    def get(self, request: Request, service_account_id: str) -> Response:
        """Get one service account."""
        found = access.service_account(self.organization, service_account_id)
        return Response(ServiceAccountSerializer(found).data)

    @operation(body=ServiceAccountUpdate, answer=ServiceAccountSerializer)
    def post(self, request: Request, service_account_id: str) -> Response:
        """Change a service account; what is not given stays, and its name always does."""
        found = access.service_account(self.organization, service_account_id)
        changed = service_accounts.update(
            actor=self.actor, service_account=found, **self.body(ServiceAccountUpdate)
        )
        return Response(ServiceAccountSerializer(changed).data)


class ServiceAccountArchiveView(AdminApiView):
    """`/v1/organizations/service_accounts/{service_account_id}/archive`."""

    @operation(body=EmptyBody, answer=ServiceAccountSerializer)
    def post(self, request: Request, service_account_id: str) -> Response:
        """Archive a service account and the keys that act for it, which stop working. This cannot be undone."""
        self.body(EmptyBody)
        found = access.service_account(self.organization, service_account_id)
        archived = service_accounts.archive(actor=self.actor, service_account=found)
        return Response(ServiceAccountSerializer(archived).data)
