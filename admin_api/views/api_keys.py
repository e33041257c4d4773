from __future__ import annotations

import datetime
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from admin_api import access, pages
from admin_api.actions import api_keys
from admin_api.operation import id_page_of, operation
from admin_api.queries import api_keys as queries
from admin_api.serializers.api_keys import (
    ApiKeyCreate,
    ApiKeyListQuery,
    ApiKeyRotate,
    ApiKeySerializer,
    ApiKeyUpdate,
    ApiKeyWithSecretSerializer,
)
from admin_api.views.base import AdminApiView, id_page
from gateway.models import ApiKey, Organization, User


class ApiKeysView(AdminApiView):
    """`/v1/organizations/api_keys`."""

    @operation(query=ApiKeyListQuery, answer=id_page_of(ApiKeySerializer), refusals=())
    def get(self, request: Request) -> Response:
        """List the API keys of the organization, the newest first."""
        asked = self.query(ApiKeyListQuery)
        filters = {name: asked.get(name) for name in ("status", "workspace_id", "created_by_user_id")}
        rows = queries.api_keys(self.organization, **filters)
        return id_page(pages.by_id(rows, asked, among=queries.api_keys(self.organization)), ApiKeySerializer)

    @operation(body=ApiKeyCreate, answer=ApiKeyWithSecretSerializer)
    def post(self, request: Request) -> Response:
        """Make an API key. The answer has its secret, as `key`; no other ever will."""
        given = self.body(ApiKeyCreate)
        belongs = _owners(self.organization, given)
        maker = request.user if isinstance(request.user, User) else None
        return _shown(
            *api_keys.create(
                actor=self.actor, organization=self.organization, created_by=maker, **belongs, **given
            )
        )


class ApiKeyView(AdminApiView):
    """`/v1/organizations/api_keys/{api_key_id}`."""

    @operation(answer=ApiKeySerializer)
    def get(self, request: Request, api_key_id: str) -> Response:
        """Get one API key."""
        return Response(ApiKeySerializer(access.api_key(self.organization, api_key_id)).data)

    @operation(body=ApiKeyUpdate, answer=ApiKeySerializer)
    def post(self, request: Request, api_key_id: str) -> Response:
        """Change an API key; what is not given stays. An archived key stays archived."""
        key = access.api_key(self.organization, api_key_id)
        api_keys.update(actor=self.actor, key=key, **self.body(ApiKeyUpdate))
        return Response(ApiKeySerializer(access.api_key(self.organization, api_key_id)).data)


class ApiKeyRotateView(AdminApiView):
    """`/v1/organizations/api_keys/{api_key_id}/rotate`."""

    @operation(body=ApiKeyRotate, answer=ApiKeyWithSecretSerializer)
    def post(self, request: Request, api_key_id: str) -> Response:
        """Give a key a new secret, as `key` in this answer only; the one before works for the overlap."""
        overlap = datetime.timedelta(seconds=self.body(ApiKeyRotate)["overlap_seconds"])
        key = access.api_key(self.organization, api_key_id)
        return _shown(*api_keys.rotate(actor=self.actor, key=key, overlap=overlap))


def _shown(key: ApiKey, secret: str) -> Response:
    return Response(ApiKeyWithSecretSerializer(key, context={"secret": secret}).data)


def _owners(organization: Organization, given: dict[str, Any]) -> dict[str, Any]:
    """Takes the ids out of a checked body and gives the rows: where the key belongs, and who it acts for."""
    scope, principal = given.pop("scope", None) or {}, given.pop("principal", None) or {}
    workspace_id = given.pop("workspace_id", None) or scope.get("workspace_id")
    rows: dict[str, Any] = {}
    if workspace_id:
        rows["workspace"] = access.workspace(organization, workspace_id)
    elif scope.get("type") != "organization":
        rows["workspace"] = access.default_workspace(organization)
    if "user_id" in principal:
        rows["user"] = access.member(organization, principal["user_id"]).user
    if "service_account_id" in principal:
        rows["service_account"] = access.service_account(organization, principal["service_account_id"])
    return rows
