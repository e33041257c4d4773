from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from admin_api import access, pages
from admin_api.actions import credit
from admin_api.operation import operation
from admin_api.queries import credit as queries
from admin_api.serializers.base import IdQuery
from admin_api.serializers.platform.credit import (
    BalanceInCents,
    CreditAdjust,
    CreditEntryMadeSerializer,
    CreditEntrySerializer,
    CreditPageSerializer,
    CreditSerializer,
)
from admin_api.views.base import PlatformView, id_page


class CreditView(PlatformView):
    """`/platform/v1/organizations/{organization_id}/credit`."""

    @operation(query=IdQuery, answer=CreditPageSerializer)
    def get(self, request: Request, organization_id: str) -> Response:
        """Get what an organization has left, and list the changes of its credit, the newest first."""
        organization = access.any_organization(organization_id)
        rows = queries.credit_entries(organization)
        page = id_page(pages.by_id(rows, self.query(IdQuery), among=rows), CreditEntrySerializer)
        return Response(page.data | CreditSerializer(queries.credit(organization)).data)

    @operation(body=CreditAdjust, answer=CreditEntryMadeSerializer)
    def post(self, request: Request, organization_id: str) -> Response:
        """Add to the credit of an organization, or take from it. What is spent is taken by itself.

        An organization is held to its credit once it is `prepaid`.
        """
        organization = access.any_organization(organization_id)
        entry = credit.adjust(actor=self.actor, organization=organization, **self.body(CreditAdjust))
        balance = BalanceInCents().to_representation(queries.credit(organization).balance)
        return Response(CreditEntrySerializer(entry).data | {"balance": balance})
