"""Setting up authenticator apps and passkeys; also for somebody whose organization asks for one."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from admin_api.actions import second_factors
from admin_api.queries.second_factors import has_second_factor, of_user
from dashboard.forms.fresh_sign_in import fresh_sign_in
from dashboard.frame.place import actor_of, owner_page, place_of, set_up_page
from dashboard.settings.security_views import show_codes
from dashboard.settings.tabs import tabs
from dashboard.sign_in.passkeys import NewPasskeyForm, creation_options
from dashboard.sign_in.second_factor import CodeForm, grouped, picture_of, secret_of, set_up_token
from gateway.errors import InvalidRequest
from gateway.models import User


@require_safe
@set_up_page
def needed(request: HttpRequest, user: User) -> HttpResponse:
    """Where members without a second factor are led while their organization asks for one."""
    place = place_of(request)
    if place is None or not place.organization.require_second_factor or has_second_factor(user):
        return redirect("security")
    return render(
        request, "dashboard/settings/second_factor_needed.html", {"organization": place.organization}
    )


@require_http_methods(["GET", "HEAD", "POST"])
@fresh_sign_in
@owner_page
@set_up_page
def authenticator(request: HttpRequest, user: User) -> HttpResponse:
    """A secret as a QR code and as text, and a code that proves that the app has it."""
    if of_user(user).app is not None:
        messages.success(request, "You have an authenticator app. Remove it before you set up another one.")
        return redirect("security")
    secret = secret_of(user, request.POST.get("set_up", "")) or second_factors.new_secret()
    form = CodeForm(request, user, request.POST if request.method == "POST" else None)
    form.fields["code"].help_text = "The six digits that the app shows now."
    if request.method == "POST":
        try:
            code = request.POST.get("code", "")
            codes = second_factors.add_app(actor=actor_of(request), user=user, secret=secret, code=code)
            return _added(request, codes, "The authenticator app is set up.")
        except InvalidRequest as refused:
            form.errors.clear()
            form.refuse(refused)
    context = {
        "form": form,
        "picture": picture_of(user, secret),
        "secret": grouped(secret, 4),
        "set_up": set_up_token(user, secret),
        "tabs": tabs(request, "security"),
    }
    return render(
        request, "dashboard/settings/authenticator.html", context, status=400 if form.errors else 200
    )


@require_http_methods(["GET", "HEAD", "POST"])
@fresh_sign_in
@owner_page
@set_up_page
def new_passkey(request: HttpRequest, user: User) -> HttpResponse:
    form = NewPasskeyForm(request.POST if request.method == "POST" else None, initial={"name": "Passkey"})
    if form.is_valid():
        try:
            codes = second_factors.add_passkey(actor=actor_of(request), user=user, **form.cleaned_data)
            return _added(request, codes, "The passkey is added.")
        except InvalidRequest as refused:
            form.refuse(refused)
    context = {"form": form, "tabs": tabs(request, "security")}
    return render(request, "dashboard/settings/passkey.html", context, status=400 if form.errors else 200)


@require_POST
@fresh_sign_in
@owner_page
@set_up_page
def passkey_options(request: HttpRequest, user: User) -> HttpResponse:
    """What the browser needs to make a passkey."""
    return JsonResponse(creation_options(user))


def _added(request: HttpRequest, codes: list[str], said: str) -> HttpResponse:
    """With the first factor come recovery codes. The session goes on under another key."""
    request.session.cycle_key()
    if codes:
        return show_codes(request, codes)
    messages.success(request, said)
    return redirect("security")
