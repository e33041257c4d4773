from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from admin_api.operation import operation
from admin_api.serializers.organization import OrganizationSerializer
from admin_api.views.base import AdminApiView


class OrganizationView(AdminApiView):
    """`GET /v1/organizations/me`: the organization that the credential belongs to."""

    @operation(answer=OrganizationSerializer, refusals=())
    def get(self, request: Request) -> Response:
        """Get the organization that the credential belongs to."""
        return Response(OrganizationSerializer(self.organization).data)
