"""From the credentials of a request to its caller, or a refusal: an Admin key, or a session of the dashboard; for
`/platform/v1` an operator key.

A refusal reads as on the data plane, whose doors stand beside these.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TypedDict
from uuid import UUID

import structlog
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db.models import Q
from django.utils import timezone
from rest_framework import authentication, exceptions
from rest_framework.request import Request

from admin_api import access
from admin_api.actor import Actor
from admin_api.caller import Caller, Operator
from admin_api.house_rules import broken_rule
from admin_api.presented import INVALID, address_of, secret_of, wrong_key
from admin_api.session_proofs import Proofs, proofs_of
from gateway import credentials
from gateway.errors import AuthenticationFailed, NotFound, PermissionDenied
from gateway.models import ApiKey, Membership, OperatorKey, Organization, User
from gateway.models.sessions import SIGNED_IN
from gateway.principal import may_come_from, networks_of
from gateway.request_ids import request_id_of

log = structlog.get_logger(__name__)

CHOSEN_ORGANIZATION = "organization"  # the name in the session, as the dashboard keeps it
CSRF_NEEDED = "Changes by a session need the token of the dashboard's pages in the header X-CSRFToken."
_KINDS: dict[credentials.AnyKind, str] = {credentials.API: "An API key", credentials.ADMIN: "An Admin key"}


class AdminKeyAuthentication(authentication.BaseAuthentication):
    """`x-api-key` or `Authorization: Bearer`; a request with either is never tried as a session."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, Caller] | None:
        secret = secret_of(request, expected="Admin key")
        if secret is None:
            return None
        address = address_of(request)
        key = _find(secret, address)
        _check_usable(key, address)
        actor = Actor.api_key(key, **_origin(request))
        return AnonymousUser(), Caller(key.organization, actor)


class SessionAuthentication(authentication.SessionAuthentication):
    """Somebody signed in to the dashboard who is an admin there; anything but reading needs the CSRF token."""

    def authenticate(self, request: Request) -> tuple[User, Caller] | None:
        signed_in = super().authenticate(request)
        if signed_in is None:
            return None
        user = signed_in[0]
        proofs = proofs_of(request, user)
        organization = _administered(user, request.session.get(CHOSEN_ORGANIZATION), proofs)
        signed_in_at = request.session.get(SIGNED_IN, {}).get("at")
        broken = broken_rule(
            organization,
            user,
            address=address_of(request) or "",
            signed_in_at=signed_in_at,
            proofs=proofs,
        )
        if broken is not None:
            raise PermissionDenied(broken.value)
        return user, Caller(organization, Actor.user(user, **_origin(request)))

    def enforce_csrf(self, request: Request) -> None:
        try:
            super().enforce_csrf(request)
        except exceptions.PermissionDenied as refused:
            raise PermissionDenied(f"{refused.detail} {CSRF_NEEDED}") from None


class OperatorKeyAuthentication(authentication.BaseAuthentication):
    """`x-api-key` or `Authorization: Bearer`; nothing else opens the platform API, and no session does."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, Operator] | None:
        secret = secret_of(request, expected="operator key")
        if secret is None:
            return None
        address = address_of(request)
        key = _find_operator_key(secret, address)
        return AnonymousUser(), Operator(Actor.operator_key(key, **_origin(request)))


class Origin(TypedDict):
    """What an audit line says of a request, beside who made it."""

    ip_address: str | None
    request_id: str
    user_agent: str


def _origin(request: Request) -> Origin:
    return Origin(
        ip_address=address_of(request) or None,
        request_id=request_id_of(request),
        user_agent=request.headers.get("User-Agent", ""),
    )


def _find(secret: str, address: str) -> ApiKey:
    """The key's row, whatever its state. A malformed key costs no query; guessing is throttled."""
    key = None
    kind = credentials.kind_of(secret)
    if kind == credentials.OPERATOR:
        raise PermissionDenied("An operator key cannot call the Admin API; use an Admin key.")
    if kind is not None:
        digests = [credentials.digest(secret, pepper) for pepper in settings.CONFIGURATION.peppers]
        current = Q(digest__in=digests)
        before = Q(previous_digest__in=digests, previous_until__gt=timezone.now())
        key = ApiKey.objects.filter(current | before).select_related("organization").first()
    if key is None:
        raise wrong_key(address)
    _bring_under_first_pepper(key, ("digest", "previous_digest"), digests)
    return key


def _bring_under_first_pepper(
    key: ApiKey | OperatorKey, names: Sequence[str], digests: Sequence[bytes]
) -> None:
    """A key that is used while the pepper is exchanged will be known without the older one."""
    for name in names:
        held = getattr(key, name)
        if held is not None and bytes(held) in digests[1:]:
            type(key)._default_manager.filter(pk=key.pk, **{name: held}).update(**{name: digests[0]})
            setattr(key, name, digests[0])


def _check_usable(key: ApiKey, address: str) -> None:
    if key.current_status != ApiKey.Status.ACTIVE:
        log.info("key_refused", key_id=key.id, why=key.current_status)
        raise AuthenticationFailed(INVALID)
    _check_not_suspended(key.organization)
    if key.kind != credentials.ADMIN:
        raise PermissionDenied("An API key cannot call the Admin API; use an Admin key.")
    if not may_come_from(networks_of(key.allowed_ips), address):
        log.info("key_refused", key_id=key.id, why="address", address=address)
        raise PermissionDenied(f"This Admin key may not be used from {address}.")


def _administered(user: User, chosen: str | None, proofs: Proofs) -> Organization:
    """The organization the session is about, as in the dashboard: the chosen one, else the first joined."""
    among = proofs.among
    # Chosen long ago and left since, or a member of nothing.
    membership = _membership(user, chosen, among) or _membership(user, None, among)
    if membership is None or membership.role != Membership.Role.ADMIN:
        raise PermissionDenied("Only admins of an organization may call the Admin API.")
    _check_not_suspended(membership.organization)
    return membership.organization


def _membership(user: User, chosen: str | None, among: Collection[UUID] | None) -> Membership | None:
    try:
        return access.membership_for(user, chosen, among)
    except NotFound:
        return None


def _check_not_suspended(organization: Organization) -> None:
    if organization.suspended_at is not None:
        raise PermissionDenied("This organization has been suspended.")


def _find_operator_key(secret: str, address: str) -> OperatorKey:
    """One that may be used now. A key of another kind is told so whatever its state, without a query."""
    kind, key = credentials.kind_of(secret), None
    if kind is not None and kind != credentials.OPERATOR:
        raise PermissionDenied(f"{_KINDS[kind]} cannot call the platform API; use an operator key.")
    if kind is not None:
        digests = [credentials.digest(secret, pepper) for pepper in settings.CONFIGURATION.peppers]
        key = OperatorKey.objects.filter(digest__in=digests).first()
    if key is None:
        raise wrong_key(address)
    _bring_under_first_pepper(key, ("digest",), digests)
    status = key.status_at(timezone.now())
    if status != "active":
        log.info("operator_key_refused", key_id=key.id, why=status)
        raise AuthenticationFailed(INVALID)
    return key
