"""Signing in through the identity provider of an organization: to it, and back."""

from __future__ import annotations

import secrets
from typing import Any

from allauth.socialaccount.internal.statekit import get_states
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from django import forms
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from admin_api.queries.sso import connection_for
from dashboard.forms.form import Form
from dashboard.frame.local_path import is_local
from dashboard.frame.place import place_of, set_up_page
from dashboard.sign_in.throttle import MINUTES, Attempts
from dashboard.single_sign_on import arrival
from dashboard.single_sign_on.adapter import SingleSignOn, provider_of
from dashboard.single_sign_on.departure import AWAY, depart
from dashboard.single_sign_on.openid import OpenId, OpenIdLogin
from dashboard.single_sign_on.saml import Saml, SamlError, sp_metadata
from gateway.errors import InvalidRequest, NotFound, TooLarge
from gateway.models import User

LONGEST_ANSWER = 300_000  # bytes
ANSWER_SECONDS = 120
ANSWER = "sso:answer:"


class SsoForm(Form):
    email = forms.EmailField(
        label="Work email",
        max_length=254,
        widget=forms.EmailInput({"autocomplete": "username", "autofocus": True}),
    )


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def begin(request: HttpRequest) -> HttpResponse:
    """From an address to the provider of its domain. With `again`, somebody who is signed in proves it anew."""
    sent = request.POST if request.method == "POST" else None
    form = SsoForm(sent, initial={"email": request.GET.get("email", "")[:254]})
    if sent is None or not form.is_valid():
        return _asked(request, form)
    if not Attempts(request).take("sso"):
        form.add_error(None, f"Too many attempts. Wait {MINUTES} minutes and try again.")
        return _asked(request, form, status=429)
    connection = connection_for(form.cleaned_data["email"])
    if connection is None:
        form.add_error("email", "No organization signs in with addresses of this domain here.")
        return _asked(request, form)
    following, again = sent.get("next", ""), isinstance(request.user, User) and "again" in sent
    try:
        return depart(
            request,
            connection,
            following=following if is_local(following) else "",
            again=again,
            hint=form.cleaned_data["email"],
        )
    except InvalidRequest as refused:
        form.refuse(refused)
        return _asked(request, form, status=502)


@require_safe
@set_up_page
def needed(request: HttpRequest, user: User) -> HttpResponse:
    """Where members land who came with a password while their organization requires the provider."""
    place = place_of(request)
    if place is None or not place.organization.require_sso:
        return redirect("overview")
    return render(
        request, "dashboard/single_sign_on/needed.html", {"organization": place.organization, "account": user}
    )


@never_cache
@require_safe
def openid_callback(request: HttpRequest, id: str) -> HttpResponse:
    """allauth takes the code to the provider; `adapter.py` and `arrival.py` have the last word."""
    provider = _provider(request, id)
    if not isinstance(provider, OpenId):
        raise NotFound("There is no such page.")
    try:
        view = OAuth2CallbackView.adapter_view(OpenIdLogin(request, id))
        answer: HttpResponse = view(request)
        return answer
    except AWAY as problem:
        return arrival.failed(request, provider.app.connection, repr(problem), {})


@csrf_exempt  # the provider's page posts it, without our cookies: it does nothing but wait for who asked
@never_cache
@require_POST
def saml_answer(request: HttpRequest, id: str) -> HttpResponse:
    """The answer waits while the browser comes back by itself, now with its session."""
    if not isinstance(_provider(request, id), Saml):
        raise NotFound("There is no such page.")
    if int(request.META.get("CONTENT_LENGTH") or 0) > LONGEST_ANSWER:
        raise TooLarge("The provider's answer is too long.")
    if not Attempts(request).take("sso"):
        return render(
            request, "dashboard/single_sign_on/failed.html", {"words": "Too many attempts."}, status=429
        )
    token = secrets.token_urlsafe(24)
    cache.set(ANSWER + token, request.POST.get("SAMLResponse", ""), ANSWER_SECONDS)
    response = redirect("sso_saml_arrival", id=id, token=token)
    response.status_code = 303
    return response


@never_cache
@require_safe
def saml_arrival(request: HttpRequest, id: str, token: str) -> HttpResponse:
    provider = _provider(request, id)
    answer = cache.get(ANSWER + token)
    if not isinstance(provider, Saml) or answer is None:
        raise NotFound("There is no such page, or not any more.")
    cache.delete(ANSWER + token)
    begun = _begun(request, id)
    try:
        login = provider.login_from(request, answer)
    except (SamlError, PermissionDenied) as problem:
        return arrival.failed(request, provider.app.connection, str(problem), begun)
    return arrival.arrive(request, login)


@never_cache
@require_safe
def saml_metadata(request: HttpRequest, id: str) -> HttpResponse:
    provider = _provider(request, id)
    if not isinstance(provider, Saml):
        raise NotFound("There is no such page.")
    return HttpResponse(sp_metadata(provider.app.connection), content_type="application/samlmetadata+xml")


def _provider(request: HttpRequest, id: str) -> OpenId | Saml:
    try:
        return provider_of(request, SingleSignOn(request).get_app(request, provider=id))
    except SocialApp.DoesNotExist:
        raise NotFound("There is no such page.") from None


def _begun(request: HttpRequest, id: str) -> dict[str, Any]:
    """What the sign-in began with that this browser is waiting for; an answer that is not valid names none."""
    states = [state for state, _, provider in get_states(request).values() if provider == id]
    found: dict[str, Any] = (states[-1].get("data") or {}) if states else {}
    return found


def _asked(request: HttpRequest, form: SsoForm, status: int = 0) -> HttpResponse:
    following = (request.POST or request.GET).get("next", "")
    context: dict[str, Any] = {"form": form, "next": following if is_local(following) else ""}
    return render(
        request,
        "dashboard/single_sign_on/sign_in.html",
        context,
        status=status or (400 if form.errors else 200),
    )
