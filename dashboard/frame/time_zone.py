"""The zone in which a person reads times, kept in a cookie; `?tz=` names another one for a page that is shared."""

from __future__ import annotations

import datetime
import functools
import zoneinfo

from django.conf import settings
from django.http import HttpRequest, HttpResponse

COOKIE = "time_zone"
UTC = "UTC"
# Zones that browsers still call by names which systems have put away.
_RENAMED = {
    "America/Buenos_Aires": "America/Argentina/Buenos_Aires",
    "America/Godthab": "America/Nuuk",
    "America/Indianapolis": "America/Indiana/Indianapolis",
    "Asia/Calcutta": "Asia/Kolkata",
    "Asia/Katmandu": "Asia/Kathmandu",
    "Asia/Rangoon": "Asia/Yangon",
    "Asia/Saigon": "Asia/Ho_Chi_Minh",
    "Atlantic/Faeroe": "Atlantic/Faroe",
    "Europe/Kiev": "Europe/Kyiv",
}
_YEAR = 365 * 24 * 3600


def own(request: HttpRequest) -> datetime.tzinfo:
    """What the person chose, else UTC."""
    return zone_of(request.COOKIES.get(COOKIE, "")) or datetime.UTC


def shown(request: HttpRequest) -> datetime.tzinfo:
    """The zone of this page."""
    return zone_of(request.GET.get("tz", "")) or own(request)


def zone_of(name: str) -> datetime.tzinfo | None:
    """None for a name that is none. UTC needs no files of the system."""
    name = _RENAMED.get(name, name)
    if name == UTC:
        return datetime.UTC
    return zoneinfo.ZoneInfo(name) if name in names() else None


@functools.cache
def names() -> frozenset[str]:
    """Those that mean a place, or UTC, as far as the system knows them."""
    places = (name for name in zoneinfo.available_timezones() if "/" in name and not name.startswith("Etc/"))
    return frozenset({UTC, *places})


def remember(response: HttpResponse, name: str) -> None:
    """UTC is the absence of the cookie."""
    if name == UTC:
        response.delete_cookie(COOKIE, samesite="Lax")
        return
    response.set_cookie(
        COOKIE, name, max_age=_YEAR, secure=settings.SESSION_COOKIE_SECURE, httponly=True, samesite="Lax"
    )
