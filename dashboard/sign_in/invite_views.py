"""Joining an organization by an invitation's link. Looking at it changes nothing."""

from __future__ import annotations

from allauth.account.internal.flows.login import record_authentication
from django import forms
from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from admin_api.actions import invites
from dashboard.forms.passwords import NewPasswordField
from dashboard.frame.client_address import client_address
from dashboard.frame.place import SESSION_KEY
from gateway.errors import GatewayError
from gateway.models import Invite, User
from gateway.request_ids import request_id_of

BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


class NewAccountForm(forms.Form):
    name = forms.CharField(
        label="Name", max_length=200, widget=forms.TextInput({"class": "input", "autocomplete": "name"})
    )
    password = NewPasswordField()


@sensitive_post_parameters("password")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def accept_invite(request: HttpRequest, token: str) -> HttpResponse:
    invite = invites.find(token)
    if invite is None:
        return render(request, "dashboard/sign_in/invite_gone.html", status=404)
    visitor = request.user if isinstance(request.user, User) else None
    has_account = visitor is not None or User.objects.filter(email__iexact=invite.email).exists()
    form = None if has_account else NewAccountForm(request.POST if request.method == "POST" else None)
    problem = ""
    if request.method == "POST" and (form is None or form.is_valid()):
        try:
            return _join(request, token, invite, visitor, form)
        except GatewayError as refused:
            problem = refused.message
    context = {
        "invite": invite,
        "form": form,
        "problem": problem,
        "somebody_else": visitor is not None and visitor.email.lower() != invite.email.lower(),
    }
    return render(request, "dashboard/sign_in/invite.html", context, status=400 if problem else 200)


def _join(
    request: HttpRequest, token: str, invite: Invite, visitor: User | None, form: NewAccountForm | None
) -> HttpResponse:
    """In and signed in; the organization of the invitation is the one shown next."""
    member = invites.accept(
        token=token,
        name=form.cleaned_data["name"] if form else "",
        password=form.cleaned_data["password"] if form else None,
        user=visitor,
        ip_address=client_address(request),
        request_id=request_id_of(request),
    )
    if visitor is None:
        login(request, member, backend=BACKEND)
        record_authentication(request, member, method="password")  # chosen a moment ago
    request.session[SESSION_KEY] = str(invite.organization_id)
    return redirect("overview")
