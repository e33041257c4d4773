"""What every view of the Admin API is: it knows who calls, and its answers name the organization."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.views import APIView

from admin_api.caller import Caller
from gateway.models import Organization


class AdminApiView(APIView):
    """One path. Authentication, version, parsing and errors are DRF's settings; updates are POST."""

    http_method_names = ["get", "head", "post", "delete"]  # noqa: RUF012 - DRF's own attribute
    caller: Caller | None = None

    @property
    def organization(self) -> Organization:
        """The caller's own: no path names an organization."""
        assert self.caller is not None, "no handler runs without a caller"
        return self.caller.organization

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        """A chunked body announces no length, and what announces none is no body to DRF; -1 is "unknown"."""
        if "Transfer-Encoding" in request.headers:
            request.META.setdefault("CONTENT_LENGTH", "-1")
        return super().initialize_request(request, *args, **kwargs)

    def perform_authentication(self, request: Request) -> None:
        super().perform_authentication(request)
        self.caller = request.auth

    def finalize_response(
        self, request: Request, response: HttpResponseBase, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        response = super().finalize_response(request, response, *args, **kwargs)
        if self.caller is not None:
            response.headers["anthropic-organization-id"] = str(self.caller.organization.id)
        return response
