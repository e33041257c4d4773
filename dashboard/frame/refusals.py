"""Turns what actions, `access` and the stores raise into pages."""

from __future__ import annotations

import redis
import structlog
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin

from dashboard.frame import error_views
from gateway.errors import GatewayError, NotFound, PermissionDenied

log = structlog.get_logger(__name__)


class RefusalMiddleware(MiddlewareMixin):
    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Other exceptions go their way and end as 500."""
        if isinstance(exception, NotFound):
            return error_views.not_found(request, exception)
        if isinstance(exception, PermissionDenied):
            return error_views.forbidden(request, exception)
        if isinstance(exception, GatewayError) and exception.status < 500:
            return error_views.bad_request(request, exception)
        if isinstance(exception, (OperationalError, redis.RedisError)):
            log.error("store_away", error=repr(exception))
            return error_views.unavailable(request, exception)
        return None
