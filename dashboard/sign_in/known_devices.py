"""Browsers that somebody signed in with before, by a signed cookie: for whom, and under which password.

It opens nothing. It only lets the owner try their password while others are kept from guessing it.
"""

from __future__ import annotations

import dataclasses
import secrets

from django.conf import settings
from django.contrib.auth.signals import user_logged_in
from django.core import signing
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.deprecation import MiddlewareMixin

from admin_api.session_proofs import proofs_of
from gateway.models import User

COOKIE = "__Host-device" if settings.SESSION_COOKIE_SECURE else "device"
SALT = "dashboard.known-devices"
SECONDS = 90 * 24 * 3600
MOST = 5  # people who share a computer


@dataclasses.dataclass(frozen=True)
class Device:
    """`accounts`: what stands for an account, to what stands for its password."""

    id: str
    accounts: dict[str, str]


def known(request: HttpRequest, account: str) -> str:
    """The device's own name where this account signed in on it under the password it has now, else ""."""
    device = _read(request)
    mark = device.accounts.get(_name(account))
    if mark is None:
        return ""
    user = User.objects.filter(email__iexact=account, is_active=True).first()
    good = user is not None and constant_time_compare(mark, _mark(user))
    return device.id if good else ""


@receiver(user_logged_in)
def note(request: HttpRequest, user: User, **_: object) -> None:
    """The cookie is set with the answer to this request; not for who gave no proof of their own."""
    if not proofs_of(request, user).only_sso:
        request.META["dashboard.signed_in"] = user


class KnownDeviceMiddleware(MiddlewareMixin):
    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        user = request.META.get("dashboard.signed_in")
        if isinstance(user, User):
            response.set_cookie(
                COOKIE,
                signing.dumps(dataclasses.asdict(_with(_read(request), user)), salt=SALT),
                max_age=SECONDS,
                secure=settings.SESSION_COOKIE_SECURE,
                httponly=True,
                samesite="Lax",
            )
        return response


def _read(request: HttpRequest) -> Device:
    """A new one where there is no cookie of ours."""
    try:
        found = signing.loads(request.COOKIES.get(COOKIE, ""), salt=SALT, max_age=SECONDS)
    except signing.BadSignature:
        return Device(secrets.token_urlsafe(12), {})
    return Device(**found)


def _with(device: Device, user: User) -> Device:
    name = _name(user.email.upper())
    others = [(key, mark) for key, mark in device.accounts.items() if key != name]
    return Device(device.id, dict([*others[-(MOST - 1) :], (name, _mark(user))]))


def _name(account: str) -> str:
    return salted_hmac(SALT, account, algorithm="sha256").hexdigest()[:16]


def _mark(user: User) -> str:
    """Another one with another password."""
    return salted_hmac(SALT, f"{user.pk} {user.password}", algorithm="sha256").hexdigest()[:32]
