"""From the credentials of a request to its caller, or a refusal: an Admin key, or a session of the dashboard.

A refusal reads as on the data plane, whose doors stand beside these.
"""

from __future__ import annotations

import structlog
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db.models import Q
from django.utils import timezone
from rest_framework import authentication
from rest_framework.request import Request

from admin_api import access, wrong_keys
from admin_api.actor import Actor
from admin_api.caller import MISSING, Caller
from gateway import credentials
from gateway.client_address import client_address
from gateway.errors import AuthenticationFailed, NotFound, PermissionDenied, RateLimited
from gateway.models import ApiKey, Membership, Organization, User
from gateway.request_ids import request_id_of

log = structlog.get_logger(__name__)

INVALID = "invalid x-api-key"
CHOSEN_ORGANIZATION = "organization"  # the name in the session, as the dashboard keeps it


class AdminKeyAuthentication(authentication.BaseAuthentication):
    """`x-api-key` or `Authorization: Bearer`; a request with either is never tried as a session."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, Caller] | None:
        secret = _secret(request)
        if secret is None:
            return None
        address = _address(request)
        key = _find(secret, address)
        _check_usable(key)
        actor = Actor.api_key(key, ip_address=address or None, request_id=request_id_of(request))
        return AnonymousUser(), Caller(key.organization, actor)


class SessionAuthentication(authentication.SessionAuthentication):
    """Somebody signed in to the dashboard who is an admin there; anything but reading needs the CSRF token."""

    def authenticate(self, request: Request) -> tuple[User, Caller] | None:
        signed_in = super().authenticate(request)
        if signed_in is None:
            return None
        user = signed_in[0]
        organization = _administered(user, request.session.get(CHOSEN_ORGANIZATION))
        address = _address(request) or None
        return user, Caller(
            organization, Actor.user(user, ip_address=address, request_id=request_id_of(request))
        )


def _secret(request: Request) -> str | None:
    """The one key of the request, None without any; two that differ are refused, whichever would be right."""
    api_key, authorization = request.headers.get("x-api-key"), request.headers.get("authorization")
    if api_key is None and authorization is None:
        return None
    bearer = _bearer(authorization) if authorization is not None else None
    if api_key is not None and bearer is not None and api_key != bearer:
        raise AuthenticationFailed("x-api-key and authorization hold different credentials")
    secret = api_key or bearer
    if not secret:
        raise AuthenticationFailed(MISSING)
    return secret


def _bearer(authorization: str) -> str:
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise AuthenticationFailed("authorization: expected `Bearer <Admin key>`")
    return token.strip()


def _find(secret: str, address: str) -> ApiKey:
    """The key's row, whatever its state. A malformed key costs no query; guessing is throttled."""
    key = None
    if credentials.kind_of(secret) is not None:
        digests = [credentials.digest(secret, pepper) for pepper in settings.CONFIGURATION.peppers]
        current = Q(digest__in=digests)
        before = Q(previous_digest__in=digests, previous_until__gt=timezone.now())
        key = ApiKey.objects.filter(current | before).select_related("organization").first()
    if key is None:
        if wrong_keys.count(address) > wrong_keys.ALLOWED:
            raise RateLimited("Too many requests with invalid API keys.", headers={"retry-after": "60"})
        raise AuthenticationFailed(INVALID)
    return key


def _check_usable(key: ApiKey) -> None:
    if key.current_status != ApiKey.Status.ACTIVE:
        log.info("key_refused", key_id=key.id, why=key.current_status)
        raise AuthenticationFailed(INVALID)
    _check_not_suspended(key.organization)
    if key.kind != credentials.ADMIN:
        raise PermissionDenied("An API key cannot call the Admin API; use an Admin key.")


def _administered(user: User, chosen: str | None) -> Organization:
    """The organization the session is about, as in the dashboard: the chosen one, else the first joined."""
    try:
        membership = access.membership_for(user, chosen)
    except NotFound:  # chosen long ago and left since, or a member of nothing
        membership = Membership.objects.filter(user=user).order_by("added_at", "id").first()
    if membership is None or membership.role != Membership.Role.ADMIN:
        raise PermissionDenied("Only admins of an organization may call the Admin API.")
    _check_not_suspended(membership.organization)
    return membership.organization


def _check_not_suspended(organization: Organization) -> None:
    if organization.suspended_at is not None:
        raise PermissionDenied("This organization has been suspended.")


def _address(request: Request) -> str:
    forwarded_for = request.headers.get("x-forwarded-for", "")
    return client_address(request.META.get("REMOTE_ADDR", ""), forwarded_for, settings.CONFIGURATION.proxies)
