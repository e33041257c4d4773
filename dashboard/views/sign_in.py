"""Signing in and out."""

from __future__ import annotations

from allauth.account.views import LoginView, ReauthenticateView
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from dashboard.sign_in import MINUTES, PasswordAgainForm, SignInForm


class SignIn(LoginView):
    form_class = SignInForm
    template_name = "dashboard/sign_in.html"

    def form_invalid(self, form: SignInForm) -> HttpResponse:
        response: HttpResponse = super().form_invalid(form)
        if form.throttled:
            response.status_code = 429
            response.headers["Retry-After"] = str(MINUTES * 60)
        return response


class Reauthenticate(ReauthenticateView):
    """The password once more, before something that does harm."""

    form_class = PasswordAgainForm
    template_name = "dashboard/reauthenticate.html"


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return redirect("account_login")
