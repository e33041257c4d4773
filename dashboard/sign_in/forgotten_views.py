"""A new password by mail, and addresses that are confirmed by mail. Looking at a link changes nothing."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from admin_api import mail
from admin_api.actions import email_addresses, passwords
from dashboard.forms.form import Form
from dashboard.frame.client_address import client_address
from dashboard.sign_in.throttle import MINUTES, Attempts, account_key
from gateway.errors import NotFound
from gateway.request_ids import request_id_of


class ForgottenForm(Form):
    email = forms.EmailField(
        label="Email",
        max_length=254,
        widget=forms.EmailInput({"autocomplete": "username", "autofocus": True}),
    )


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def forgotten(request: HttpRequest) -> HttpResponse:
    """The same words, after the same work, whether or not there is such an account."""
    if not mail.leaves():
        return render(request, "dashboard/sign_in/forgotten.html", {"mail_leaves": False})
    form = ForgottenForm(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        return render(request, "dashboard/sign_in/forgotten.html", {"mail_leaves": True, "form": form})
    if not _may_ask(request, form.cleaned_data["email"]):
        form.add_error(None, f"You asked several times. Wait {MINUTES} minutes and try again.")
        return render(
            request, "dashboard/sign_in/forgotten.html", {"mail_leaves": True, "form": form}, status=429
        )
    passwords.ask_by_mail(
        email=form.cleaned_data["email"],
        ip_address=client_address(request),
        request_id=request_id_of(request),
    )
    messages.success(request, "If there is an account with this address, a link is on its way to it.")
    return redirect("account_login")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def confirm_email(request: HttpRequest, token: str) -> HttpResponse:
    user = email_addresses.find(token)
    if user is None:
        return render(request, "dashboard/sign_in/email_link_gone.html", status=404)
    if request.method != "POST":
        return render(request, "dashboard/sign_in/confirm_email.html", {"account": user})
    try:
        email_addresses.confirm(
            token=token, ip_address=client_address(request), request_id=request_id_of(request)
        )
    except NotFound:
        return render(request, "dashboard/sign_in/email_link_gone.html", status=404)
    messages.success(request, f"{user.email} is confirmed.")
    return redirect("security" if request.user == user else "account_login")


def _may_ask(request: HttpRequest, email: str) -> bool:
    attempts = Attempts(request)
    return attempts.take("reset_address") and attempts.take("reset_account", account_key(email))
