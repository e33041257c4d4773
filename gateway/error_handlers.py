"""What Django says where no view answered: in the API's envelope under `/v1` and `/platform`, as a page elsewhere."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from admin_api.envelope import refusal
from dashboard.frame import error_views as pages
from gateway.errors import InternalError


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return refusal(request, exception) if _is_api(request) else pages.bad_request(request, exception)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return refusal(request, exception) if _is_api(request) else pages.forbidden(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return refusal(request, exception) if _is_api(request) else pages.not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """Django has logged what it was."""
    if _is_api(request):
        return refusal(request, InternalError("An unexpected error has occurred in the gateway."))
    return pages.server_error(request)


def _is_api(request: HttpRequest) -> bool:
    return request.path.startswith(("/v1/", "/platform/"))
