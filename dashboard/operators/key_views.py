"""Operator keys, for programs that run the installation over `/platform/v1`."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from admin_api import access
from admin_api.actions import operator_keys as actions
from dashboard.forms import once
from dashboard.forms.fresh_sign_in import fresh_sign_in
from dashboard.frame.place import actor_of, operator_page
from dashboard.operators.forms import OperatorKeyForm
from gateway.errors import InvalidRequest
from gateway.models import OperatorKey, User


@require_safe
@operator_page
def operator_keys(request: HttpRequest, user: User) -> HttpResponse:
    now = timezone.now()
    keys = [(key, key.status_at(now)) for key in OperatorKey.objects.order_by("-created_at", "-id")]
    return render(request, "dashboard/operators/keys.html", {"keys": keys})


@sensitive_variables("secret")
@require_http_methods(["GET", "HEAD", "POST"])
@fresh_sign_in
@operator_page
def new_operator_key(request: HttpRequest, user: User) -> HttpResponse:
    """The secret stands on the answer, and nowhere else; a form that is sent again makes nothing more."""
    if once.made(request):
        return redirect("operator_keys")
    form = OperatorKeyForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            made, secret = actions.create(actor=actor_of(request), **form.arguments())
        except InvalidRequest as refused:
            form.refuse(InvalidRequest(refused.message.replace("expires_at", "expires_on", 1)))
        else:
            once.remember(request, made.id)
            return render(request, "dashboard/operators/key_made.html", {"key": made, "secret": secret})
    context = {"form": form, "once": once.word(request)}
    return render(request, "dashboard/operators/new_key.html", context, status=400 if form.errors else 200)


@require_POST
@fresh_sign_in
@operator_page
def revoke_operator_key(request: HttpRequest, user: User, id: str) -> HttpResponse:
    actions.revoke(actor=actor_of(request), key=access.operator_key(id))
    messages.success(request, "The key is refused from the next request on.")
    return redirect("operator_keys")
