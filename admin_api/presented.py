"""What a request brings with it, before anybody says whether it is right: a secret, and an address it comes from."""

from __future__ import annotations

from django.conf import settings
from rest_framework.request import Request

from admin_api import wrong_keys
from admin_api.caller import MISSING
from gateway.client_address import client_address
from gateway.errors import AuthenticationFailed, GatewayError, RateLimited

INVALID = "invalid x-api-key"


def secret_of(request: Request, *, expected: str) -> str | None:
    """The one key of the request, None without any; two that differ are refused, whichever would be right.

    `expected` is what the caller should hold, such as `Admin key`.
    """
    api_key, authorization = request.headers.get("x-api-key"), request.headers.get("authorization")
    if api_key is None and authorization is None:
        return None
    bearer = _bearer(authorization, expected) if authorization is not None else None
    if api_key is not None and bearer is not None and api_key != bearer:
        raise AuthenticationFailed("x-api-key and authorization hold different credentials")
    secret = api_key or bearer
    if not secret:
        raise AuthenticationFailed(MISSING)
    return secret


def address_of(request: Request) -> str:
    forwarded_for = request.headers.get("x-forwarded-for", "")
    return client_address(request.META.get("REMOTE_ADDR", ""), forwarded_for, settings.CONFIGURATION.proxies)


def wrong_key(address: str) -> GatewayError:
    """The refusal of a key that nobody has. Whoever goes on guessing is told to wait."""
    if wrong_keys.count(address) > wrong_keys.ALLOWED:
        return RateLimited("Too many requests with invalid API keys.", headers={"retry-after": "60"})
    return AuthenticationFailed(INVALID)


def _bearer(authorization: str, expected: str) -> str:
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise AuthenticationFailed(f"authorization: expected `Bearer <{expected}>`")
    return token.strip()
