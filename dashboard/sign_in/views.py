"""Signing in: the password, then the second factor; or a passkey for both. Signing out."""

from __future__ import annotations

from typing import Any

from allauth.account.internal.decorators import login_stage_required
from allauth.account.internal.flows.login import record_authentication
from allauth.account.internal.stagekit import clear_login
from allauth.account.models import Login
from allauth.account.stages import LoginStage
from allauth.account.views import LoginView
from allauth.core.internal import ratelimit
from allauth.mfa.base.internal.flows import post_authentication
from allauth.mfa.stages import AuthenticateStage
from allauth.mfa.webauthn.internal.flows import perform_passwordless_login
from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from admin_api import mail
from admin_api.queries.second_factors import SecondFactors, of_user
from admin_api.session_proofs import proofs_of
from dashboard.frame.local_path import is_local, local_or_home
from dashboard.frame.place import to_sign_in
from dashboard.sign_in.adapter import PasswordAgainForm, SignInForm
from dashboard.sign_in.passkeys import request_options
from dashboard.sign_in.second_factor import CodeForm, PasskeyForm
from dashboard.sign_in.throttle import MINUTES
from gateway.models import User


class SignIn(LoginView):
    form_class = SignInForm
    template_name = "dashboard/sign_in/index.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_context_data(**kwargs), "mail_leaves": mail.leaves()}

    def form_invalid(self, form: SignInForm) -> HttpResponse:
        return _told(super().form_invalid(form), form.throttled)


@require_POST
@never_cache
def passkey_options(request: HttpRequest) -> HttpResponse:
    """What the browser needs to sign in with a passkey instead of a password."""
    return JsonResponse(request_options(None))


@require_POST
@never_cache
def passkey_sign_in(request: HttpRequest) -> HttpResponse:
    """With a passkey that checked its owner: no password, and no further factor. Guesses per address are few."""
    refused = ratelimit.consume_or_429(request, app="allauth.mfa", action="webauthn_login")
    if refused is not None:
        return refused
    form = PasskeyForm(data=request.POST, user=None)
    if not form.is_valid() or not form.used.user.is_active:
        messages.error(request, "This passkey was not accepted. Sign in with your password.")
        return redirect("account_login")
    following = request.POST.get("next", "")
    login = Login(user=form.used.user, redirect_url=following if is_local(following) else None)
    response: HttpResponse = perform_passwordless_login(request, form.used, login)
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@login_stage_required(stage=AuthenticateStage.key, redirect_urlname="account_login")
def second_factor(request: HttpRequest) -> HttpResponse:
    """After the password: a code, or a passkey."""
    stage = _stage(request)
    user: User = stage.login.user
    form = _proof(request, user)
    if form is not None and form.is_valid():
        post_authentication(request, form.used)
        response: HttpResponse = stage.exit()
        return response
    return _asked(request, "dashboard/sign_in/second_factor.html", user, of_user(user), form)


@require_POST
@login_stage_required(stage=AuthenticateStage.key, redirect_urlname="account_login")
def second_factor_options(request: HttpRequest) -> HttpResponse:
    return JsonResponse(request_options(_stage(request).login.user))


@require_POST
def cancel_sign_in(request: HttpRequest) -> HttpResponse:
    """Back to the password, for somebody else."""
    clear_login(request)
    return redirect("account_login")


@sensitive_post_parameters("password", "code")
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def reauthenticate(request: HttpRequest) -> HttpResponse:
    """Proof that it is still the same person, before something that does harm: password, code or passkey."""
    if not isinstance(request.user, User):
        return to_sign_in(request)
    following = request.POST.get("next") or request.GET.get("next", "")
    again = PasswordAgainForm(request.POST if "password" in request.POST else None, user=request.user)
    form = _proof(request, request.user)
    if again.is_valid():
        record_authentication(request, request.user, method="password", reauthenticated=True)
    elif form is not None and form.is_valid():
        post_authentication(request, form.used, reauthenticated=True)
    else:
        return _asked(
            request,
            "dashboard/sign_in/reauthenticate.html",
            request.user,
            of_user(request.user),
            form,
            again=again,
            next=following,
            through_sso=bool(proofs_of(request, request.user).connections),
        )
    request.session.cycle_key()
    return redirect(local_or_home(following))


@require_POST
def reauthenticate_options(request: HttpRequest) -> HttpResponse:
    if not isinstance(request.user, User):
        return to_sign_in(request)
    return JsonResponse(request_options(request.user))


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return redirect("account_login")


def _stage(request: HttpRequest) -> LoginStage:
    stage: LoginStage = request._login_stage
    return stage


def _proof(request: HttpRequest, user: User) -> CodeForm | PasskeyForm | None:
    """What was sent to prove who it is, if anything was."""
    if "code" in request.POST:
        return CodeForm(request, user, request.POST)
    if "credential" in request.POST:
        return PasskeyForm(data=request.POST, user=user)
    return None


def _asked(
    request: HttpRequest,
    template: str,
    user: User,
    factors: SecondFactors,
    sent: CodeForm | PasskeyForm | None,
    **more: object,
) -> HttpResponse:
    form = sent if isinstance(sent, CodeForm) else CodeForm(request, user)
    if factors.app is None:
        form.fields["code"].help_text = "One of your recovery codes."
    context = {
        "account": user,
        "factors": factors,
        "form": form,
        "problems": sent.errors.get("credential", []) if isinstance(sent, PasskeyForm) else [],
        **more,
    }
    again = more.get("again")
    throttled = (sent is not None and sent.throttled) or (
        isinstance(again, PasswordAgainForm) and again.throttled
    )
    return _told(render(request, template, context), throttled)


def _told(response: HttpResponse, throttled: bool) -> HttpResponse:
    """With the status that says when to come back."""
    if throttled:
        response.status_code = 429
        response.headers["Retry-After"] = str(MINUTES * 60)
    return response
