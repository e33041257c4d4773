"""Keys that do something by themselves, which a person can turn off (WCAG 2.1.4); the choice is a cookie."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse

COOKIE = "shortcuts"
_YEAR = 365 * 24 * 3600


def are_on(request: HttpRequest) -> bool:
    return request.COOKIES.get(COOKIE) != "off"


def remember(response: HttpResponse, on: bool) -> None:
    """On is the absence of the cookie."""
    if on:
        response.delete_cookie(COOKIE, samesite="Lax")
        return
    response.set_cookie(
        COOKIE, "off", max_age=_YEAR, secure=settings.SESSION_COOKIE_SECURE, httponly=True, samesite="Lax"
    )
