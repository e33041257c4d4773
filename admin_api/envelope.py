"""Every error below the Admin API's paths in Anthropic's envelope, whoever raised it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from django.core import exceptions as django_exceptions
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from rest_framework import exceptions
from rest_framework.request import Request

from admin_api.wording import words_of
from gateway.errors import (
    AuthenticationFailed,
    GatewayError,
    InternalError,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    PermissionDenied,
    Unavailable,
    UnsupportedEncoding,
    envelope,
)
from gateway.request_ids import request_id_of

log = structlog.get_logger(__name__)


def exception_handler(exception: Exception, context: Mapping[str, Any]) -> HttpResponse:
    """What a view of DRF raised."""
    if isinstance(exception, exceptions.MethodNotAllowed):
        known = [method for method in context["view"].allowed_methods if method != "HEAD"]
        exception = MethodNotAllowed(f"Method Not Allowed; this path knows {' and '.join(known)}")
    return refusal(context["request"], exception)


def refusal(request: HttpRequest | Request, exception: Exception) -> HttpResponse:
    """The answer that tells of `exception`, with the id that the `request-id` header will have."""
    error = error_of(exception)
    return HttpResponse(
        envelope(error, request_id_of(request)),
        status=error.status,
        content_type="application/json",
        headers=error.headers,
    )


def error_of(exception: Exception) -> GatewayError:
    """What happened in our own words; only what nobody expected is logged, and told as our mistake."""
    match exception:
        case GatewayError():
            return exception
        case exceptions.ValidationError():
            return InvalidRequest(words_of(exception.detail))
        case exceptions.ParseError():
            return InvalidRequest(str(exception.detail))
        case exceptions.NotAuthenticated() | exceptions.AuthenticationFailed():
            return AuthenticationFailed(str(exception.detail))
        case exceptions.PermissionDenied():
            return PermissionDenied(str(exception.detail))
        case django_exceptions.PermissionDenied():
            return PermissionDenied("Permission denied.")
        case exceptions.NotFound() | Http404():
            return NotFound("Not Found")
        case exceptions.MethodNotAllowed():
            return MethodNotAllowed("Method Not Allowed")
        case exceptions.UnsupportedMediaType():
            return UnsupportedEncoding("content-type: expected application/json")
        case django_exceptions.DisallowedHost():
            return InvalidRequest("host: not a name of this gateway")
        case (
            django_exceptions.SuspiciousOperation() | django_exceptions.BadRequest() | MultiPartParserError()
        ):
            return InvalidRequest("The request was not understood.")
        case OperationalError() | InterfaceError():
            log.error("database_away", error=str(exception))
            return Unavailable("The gateway cannot reach its database at the moment. Please try again.")
    log.error("request_failed", exc_info=exception)
    return InternalError("An unexpected error has occurred in the gateway.")
