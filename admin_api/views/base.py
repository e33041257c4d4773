"""What every view of the Admin API and of the platform API is: it knows who calls, and checks what comes in."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from admin_api.actor import Actor
from admin_api.authentication import OperatorKeyAuthentication
from admin_api.caller import Caller, IsOperator, Operator
from admin_api.pages import CursorPage, IdPage
from admin_api.serializers.base import Body, Query
from gateway.models import Organization


class ApiView(APIView):
    """One path. Version, parsing and errors are DRF's settings; updates are POST."""

    http_method_names = ["get", "head", "post", "delete"]  # noqa: RUF012 - DRF's own attribute
    caller: Caller | Operator | None = None

    @property
    def actor(self) -> Actor:
        """Whose name the audit line of an action bears."""
        assert self.caller is not None, "no handler runs without a caller"
        return self.caller.actor

    def body(self, form: type[Body]) -> dict[str, Any]:
        """The checked body: what was not given and has no default is absent. Raises `ValidationError`."""
        checked = form(data=self.request.data)
        checked.is_valid(raise_exception=True)
        values: dict[str, Any] = checked.validated_data
        return values

    def query(self, form: type[Query]) -> dict[str, Any]:
        """The checked query. Raises `ValidationError`."""
        return form.of(self.request.query_params)

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        """A chunked body announces no length, and what announces none is no body to DRF; -1 is "unknown"."""
        if "Transfer-Encoding" in request.headers:
            request.META.setdefault("CONTENT_LENGTH", "-1")
        return super().initialize_request(request, *args, **kwargs)

    def perform_authentication(self, request: Request) -> None:
        super().perform_authentication(request)
        self.caller = request.auth


class AdminApiView(ApiView):
    """For the organization of the caller, which its answers name. Authentication is DRF's settings."""

    caller: Caller | None = None

    @property
    def organization(self) -> Organization:
        """The caller's own: no path names an organization."""
        assert self.caller is not None, "no handler runs without a caller"
        return self.caller.organization

    def finalize_response(
        self, request: Request, response: HttpResponseBase, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        response = super().finalize_response(request, response, *args, **kwargs)
        if self.caller is not None:
            response.headers["anthropic-organization-id"] = str(self.caller.organization.id)
        return response


class PlatformView(ApiView):
    """For operators: all organizations, providers, models and tiers."""

    authentication_classes = (OperatorKeyAuthentication,)
    permission_classes = (IsOperator,)


def id_page(page: IdPage[Any], item: type[serializers.Serializer], id: str = "id") -> Response:
    """`{data, has_more, first_id, last_id}`; `id` names the field of the items that cursors are made of."""
    data = item(page.rows, many=True).data
    first, last = (data[0][id], data[-1][id]) if data else (None, None)
    return Response({"data": data, "has_more": page.has_more, "first_id": first, "last_id": last})


def cursor_page(page: CursorPage[Any], item: type[serializers.Serializer]) -> Response:
    """`{data, next_page}`."""
    return Response({"data": item(page.rows, many=True).data, "next_page": page.next_page})
