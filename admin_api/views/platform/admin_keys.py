from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from admin_api import access, pages
from admin_api.actions import api_keys
from admin_api.operation import id_page_of, operation
from admin_api.serializers.base import EmptyBody, IdQuery
from admin_api.serializers.platform.admin_keys import (
    AdminKeyCreate,
    AdminKeyMadeSerializer,
    AdminKeySerializer,
)
from admin_api.views.base import PlatformView, id_page
from gateway.models import ApiKey


class AdminKeysView(PlatformView):
    """`/platform/v1/organizations/{organization_id}/admin_keys`."""

    @operation(query=IdQuery, answer=id_page_of(AdminKeySerializer))
    def get(self, request: Request, organization_id: str) -> Response:
        """List the Admin keys of an organization, the newest first."""
        organization = access.any_organization(organization_id)
        rows = ApiKey.objects.filter(organization=organization, kind=ApiKey.Kind.ADMIN)
        return id_page(pages.by_id(rows, self.query(IdQuery), among=rows), AdminKeySerializer)

    @operation(body=AdminKeyCreate, answer=AdminKeyMadeSerializer)
    def post(self, request: Request, organization_id: str) -> Response:
        """Make an Admin key of an organization. Its secret is shown once."""
        organization = access.any_organization(organization_id)
        made, secret = api_keys.create(
            actor=self.actor, organization=organization, kind="admin", **self.body(AdminKeyCreate)
        )
        return Response(AdminKeySerializer(made).data | {"key": secret})


class AdminKeyRevokeView(PlatformView):
    """`/platform/v1/organizations/{organization_id}/admin_keys/{api_key_id}/revoke`."""

    @operation(body=EmptyBody, answer=AdminKeySerializer)
    def post(self, request: Request, organization_id: str, api_key_id: str) -> Response:
        """Revoke an Admin key for good."""
        self.body(EmptyBody)
        key = access.admin_key(access.any_organization(organization_id), api_key_id)
        revoked = api_keys.update(actor=self.actor, key=key, status=ApiKey.Status.ARCHIVED)
        return Response(AdminKeySerializer(revoked).data)
