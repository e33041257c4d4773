"""Choosing a new password by a link of `manage.py reset_password`. Looking at it changes nothing."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from admin_api.actions import passwords
from dashboard.forms.passwords import NewPasswordField
from dashboard.frame.client_address import client_address
from gateway.errors import GatewayError
from gateway.request_ids import request_id_of


class NewPasswordForm(forms.Form):
    password = NewPasswordField()


@sensitive_post_parameters("password")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def reset_password(request: HttpRequest, token: str) -> HttpResponse:
    user = passwords.find(token)
    if user is None:
        return render(request, "dashboard/sign_in/reset_gone.html", status=404)
    form = NewPasswordForm(request.POST if request.method == "POST" else None)
    problem = ""
    if request.method == "POST" and form.is_valid():
        try:
            return _set(request, token, form)
        except GatewayError as refused:
            problem = refused.message
    context = {"form": form, "problem": problem, "account": user}
    return render(request, "dashboard/sign_in/reset.html", context, status=400 if problem else 200)


def _set(request: HttpRequest, token: str, form: NewPasswordForm) -> HttpResponse:
    """Signed out everywhere, this browser included: the new password is used at once."""
    passwords.set_password(
        token=token,
        password=form.cleaned_data["password"],
        ip_address=client_address(request),
        request_id=request_id_of(request),
    )
    logout(request)
    messages.success(request, "The password is changed. Sign in with the new one.")
    return redirect("account_login")
