"""Light or dark, kept in a cookie that the server reads, so that no page flashes."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse

COOKIE = "theme"
SYSTEM = "system"
CHOICES = (SYSTEM, "light", "dark")
_YEAR = 365 * 24 * 3600


def chosen(request: HttpRequest) -> str:
    value = request.COOKIES.get(COOKIE, SYSTEM)
    return value if value in CHOICES else SYSTEM


def remember(response: HttpResponse, value: str) -> None:
    """`system` is the absence of the cookie."""
    if value == SYSTEM:
        response.delete_cookie(COOKIE, samesite="Lax")
        return
    response.set_cookie(
        COOKIE, value, max_age=_YEAR, secure=settings.SESSION_COOKIE_SECURE, httponly=True, samesite="Lax"
    )
