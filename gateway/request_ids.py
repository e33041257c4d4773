"""Every page's answer carries a `request-id`, which its log lines and its error pages show too."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import iscoroutinefunction

import structlog
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import async_only_middleware

from gateway.ids import new_request_id

HEADER = "request-id"


@async_only_middleware
def request_ids(
    get_response: Callable[[HttpRequest], Awaitable[HttpResponse]],
) -> Callable[[HttpRequest], Awaitable[HttpResponse]]:
    assert iscoroutinefunction(get_response)

    async def middleware(request: HttpRequest) -> HttpResponse:
        request_id = new_request_id()
        request.META["gateway.request_id"] = request_id
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            response = await get_response(request)
        response.headers[HEADER] = request_id
        return response

    return middleware


def request_id_of(request: HttpRequest) -> str:
    return str(request.META.get("gateway.request_id", ""))
