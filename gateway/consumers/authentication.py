"""From credentials in headers to a principal and a workspace, or a refusal. Why a key was refused stands here."""

from __future__ import annotations

import time

import structlog

from gateway import credentials
from gateway.consumers.headers import Headers
from gateway.directory.directory import Directory
from gateway.directory.store import StoreUnavailable
from gateway.errors import AuthenticationFailed, PermissionDenied, RateLimited, Unavailable
from gateway.limits.limiter import Limiter
from gateway.principal import Principal, Workspace, may_come_from

log = structlog.get_logger(__name__)

WRONG_KEYS_A_MINUTE = 20

INVALID = "invalid x-api-key"


async def authenticate(headers: Headers, address: str, directory: Directory, limiter: Limiter) -> Principal:
    """The holder of an API key that may call models now.

    Raises `AuthenticationFailed` only for a key that is certainly wrong, `Unavailable` when that cannot be
    known, `RateLimited` for an address that goes on guessing, `PermissionDenied` for a key of another kind or one that
    may not be used from there.
    """
    secret = _secret(headers)
    principal = directory.keys.cached(secret)
    if principal is None:
        principal = await _look_up(secret, address, directory, limiter)
    _check_usable(principal)
    if not may_come_from(principal, address):
        log.info("key_refused", key_id=principal.key_id, why="address", address=address)
        raise PermissionDenied(f"This API key may not be used from {address}.")
    return principal


def workspace_of(principal: Principal, headers: Headers) -> Workspace:
    """The workspace that `anthropic-workspace-id` chooses among those of the key, or the key's own."""
    wanted = headers.get(b"anthropic-workspace-id")
    if wanted is None:
        return principal.workspaces[0]
    wanted_id = wanted.decode("latin-1")
    for workspace in principal.workspaces:
        if workspace.id == wanted_id:
            return workspace
    raise PermissionDenied("anthropic-workspace-id: this API key may not use that workspace")


def _secret(headers: Headers) -> str:
    """The one credential of the request; two that differ are refused, whichever would be right."""
    api_key, authorization = headers.get(b"x-api-key"), headers.get(b"authorization")
    bearer = None
    if authorization is not None:
        scheme, _, token = authorization.partition(b" ")
        if scheme.lower() != b"bearer" or not token.strip():
            raise AuthenticationFailed("authorization: expected `Bearer <API key>`")
        bearer = token.strip()
    if api_key is not None and bearer is not None and api_key != bearer:
        raise AuthenticationFailed("x-api-key and authorization hold different credentials")
    secret = api_key or bearer
    if not secret:
        raise AuthenticationFailed("x-api-key header is required")
    return secret.decode("latin-1")


async def _look_up(secret: str, address: str, directory: Directory, limiter: Limiter) -> Principal:
    """Past the cache. A malformed key costs no query, and neither does an operator's, whose state is not told here."""
    principal = None
    kind = credentials.kind_of(secret)
    if kind == credentials.OPERATOR:
        raise PermissionDenied("An operator key cannot call models; use an API key.")
    if kind is not None:
        try:
            principal = await directory.keys.find(secret)
        except StoreUnavailable as problem:
            log.warning("key_not_checked", error=str(problem))
            raise Unavailable("The API key cannot be checked at the moment. Please try again.") from problem
    if principal is None:
        if await limiter.guesses(address) > WRONG_KEYS_A_MINUTE:
            raise RateLimited("Too many requests with invalid API keys.", headers={"retry-after": "60"})
        raise AuthenticationFailed(INVALID)
    return principal


def _check_usable(principal: Principal) -> None:
    if principal.refusal == "suspended":
        raise PermissionDenied("This organization has been suspended.")
    expired = principal.expires_at is not None and principal.expires_at <= time.time()
    if principal.refusal or expired:
        log.info("key_refused", key_id=principal.key_id, why=principal.refusal or "expired")
        raise AuthenticationFailed(INVALID)
    if principal.kind != credentials.API:
        raise PermissionDenied("An Admin key cannot call models; use an API key.")
