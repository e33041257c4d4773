"""What becomes of somebody who comes back from an identity provider: signed in, shown to who tests, or refused."""

from __future__ import annotations

from typing import Any

import structlog
from allauth.account.internal.flows.login import record_authentication
from allauth.account.utils import perform_login
from allauth.socialaccount.models import SocialLogin
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from admin_api.actions import sso_connections, sso_members
from admin_api.actions.sso_members import Identity
from admin_api.actor import Actor
from admin_api.session_proofs import THROUGH_PROVIDER
from dashboard.frame.client_address import client_address
from dashboard.frame.local_path import local_or_home
from dashboard.frame.place import SESSION_KEY, actor_of, place_of
from dashboard.single_sign_on.saml import SamlError
from gateway.errors import PermissionDenied
from gateway.models import SsoConnection, User
from gateway.request_ids import request_id_of

log = structlog.get_logger(__name__)
Data = dict[str, Any]  # what the start of a sign-in left in the session: version, test, again
LONGEST = 300  # characters of a reason


def arrive(request: HttpRequest, login: SocialLogin) -> HttpResponse:
    connection: SsoConnection = login.provider.app.connection
    data: Data = login.state.get("data") or {}
    if data.get("version") != connection.version:
        return failed(request, connection, "single sign-on was changed meanwhile", data)
    try:
        login.provider.check_answer(login, data, again=bool(data.get("again")))
    except (OAuth2Error, SamlError) as problem:
        return failed(request, connection, str(problem), data)
    if data.get("test"):
        return _tested(request, connection, login.identity, data)
    try:
        user = sso_members.admit(actor=_visitor(request), connection=connection, identity=login.identity)
    except PermissionDenied as refused:
        return _refused(request, connection, refused.message, refused.message)
    return _signed_in(request, connection, user, data, local_or_home(str(data.get("next") or "/")))


def failed(request: HttpRequest, connection: SsoConnection, reason: str, data: Data) -> HttpResponse:
    """The answer is not believed. Why is for the log, and for who tests: it helps nobody else."""
    log.info("sso_failed", connection=connection.id, reason=reason[:LONGEST])
    if data.get("test") and _tests(request, connection):
        return _result(request, connection, None, reason[:LONGEST], accepted=False)
    words = "The answer of your identity provider was not accepted. Start again from the sign-in page."
    return _refused(request, connection, words, reason if data else "")


def _tested(request: HttpRequest, connection: SsoConnection, identity: Identity, data: Data) -> HttpResponse:
    """What came back, shown to the admin who asked. Nobody is signed in, and nobody becomes a member."""
    if not _tests(request, connection):
        return failed(request, connection, "only an admin of the organization may test", {})
    try:
        words = f"{identity.email} {sso_members.verdict(connection, identity).words}."
    except PermissionDenied as refused:
        return _result(request, connection, identity, refused.message, accepted=False)
    sso_connections.note_test(actor=actor_of(request), connection=connection, version=data["version"])
    return _result(request, connection, identity, words, accepted=True)


def _tests(request: HttpRequest, connection: SsoConnection) -> bool:
    place = place_of(request)
    return place is not None and place.is_admin and place.organization.id == connection.organization_id


def _result(
    request: HttpRequest, connection: SsoConnection, identity: Identity | None, words: str, *, accepted: bool
) -> HttpResponse:
    context = {"connection": connection, "identity": identity, "words": words, "accepted": accepted}
    return render(request, "dashboard/single_sign_on/test.html", context, status=200 if accepted else 403)


def _signed_in(
    request: HttpRequest, connection: SsoConnection, user: User, data: Data, following: str
) -> HttpResponse:
    """Further factors of the account are asked for as after a password."""
    here = request.user if isinstance(request.user, User) else None
    if here is not None and here.pk != user.pk:
        if data.get("again"):
            return failed(request, connection, "somebody else signed in at the provider", data)
        logout(request)
        here = None
    record_authentication(request, user, THROUGH_PROVIDER, provider=connection.id, version=connection.version)
    request.session[SESSION_KEY] = str(connection.organization_id)
    if here is not None:
        request.session.cycle_key()
        return redirect(following)
    response: HttpResponse = perform_login(request, user, email_verification="none", redirect_url=following)
    return response


def _refused(request: HttpRequest, connection: SsoConnection, words: str, reason: str) -> HttpResponse:
    """`reason` is for the audit log; empty where anybody at all may have called."""
    if reason:
        sso_members.note_refusal(actor=_visitor(request), connection=connection, reason=reason[:LONGEST])
    return render(request, "dashboard/single_sign_on/failed.html", {"words": words}, status=403)


def _visitor(request: HttpRequest) -> Actor:
    """Nobody in particular yet, from somewhere."""
    return Actor(
        "system",
        "",
        client_address(request),
        request_id_of(request),
        request.headers.get("User-Agent", ""),
    )
