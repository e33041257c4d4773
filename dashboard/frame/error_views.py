"""Pages for what goes wrong: in the frame where somebody is signed in, plain where even that may fail."""

from __future__ import annotations

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string

from dashboard.frame.context_processors import frame
from gateway.errors import GatewayError
from gateway.request_ids import request_id_of


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    words = "The address or the form was not understood."
    if isinstance(exception, DisallowedHost):
        words = (
            "This gateway does not know the host name in your address bar. Its operator sets GATEWAY_PUBLIC_URL, "
            "or adds the name to GATEWAY_ALLOWED_HOSTS."
        )
    return _plain(request, 400, "This request is not right", words)


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    words = exception.message if isinstance(exception, GatewayError) else "Your role does not allow it."
    return _framed(request, 403, "This is not for you to see", f"{words} Ask an admin.")


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _framed(
        request, 404, "There is no such page", "It may have moved, or it belongs to somebody else."
    )


def server_error(request: HttpRequest) -> HttpResponse:
    words = (
        "The mistake is ours and has been logged. Try again; if it stays, tell your operator the request id."
    )
    return _plain(request, 500, "Something went wrong", words)


def unavailable(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    words = (
        "A part of the gateway is away for the moment. API requests with known keys go on. Try again shortly."
    )
    return _plain(request, 503, "Not available right now", words)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    words = (
        "This form was open for too long, or cookies are blocked. Go back, reload the page and send it again."
    )
    return _plain(request, 403, "This form has expired", words)


def _framed(request: HttpRequest, status: int, title: str, words: str) -> HttpResponse:
    return render(
        request, "dashboard/frame/error.html", _context(request, status, title, words), status=status
    )


def _plain(request: HttpRequest, status: int, title: str, words: str) -> HttpResponse:
    """Touches neither session nor database: of the frame it asks only for the theme."""
    context = _context(request, status, title, words) | frame(request)
    page = render_to_string("dashboard/frame/error_plain.html", context)
    return HttpResponse(page, status=status)


def _context(request: HttpRequest, status: int, title: str, words: str) -> dict[str, object]:
    return {"status": status, "title": title, "words": words, "request_id": request_id_of(request)}
