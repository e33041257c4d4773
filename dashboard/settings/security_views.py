"""How one signs in: password, second factors, recovery codes, and where one is signed in."""

from __future__ import annotations

import dataclasses
import datetime

from allauth.account.internal.flows.login import record_authentication
from django.contrib import messages
from django.contrib.auth import logout, update_session_auth_hash
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from admin_api import mail
from admin_api.actions import email_addresses, passwords, second_factors, sessions
from admin_api.queries.second_factors import of_user
from admin_api.queries.sessions import name_of, sessions_of
from dashboard.forms.form import Form
from dashboard.forms.fresh_sign_in import fresh_sign_in
from dashboard.forms.passwords import NewPasswordField
from dashboard.frame import time_zone
from dashboard.frame.place import actor_of, own_page, owner_page, set_up_page
from dashboard.settings import user_agents
from dashboard.settings.tabs import tabs
from dashboard.sign_in import known_devices
from dashboard.sign_in.adapter import PasswordAgainForm
from dashboard.sign_in.second_factor import grouped
from gateway.errors import InvalidRequest, NotFound
from gateway.models import BrowserSession, User


@dataclasses.dataclass(frozen=True)
class Line:
    """One session, as it is listed."""

    name: str
    browser: str
    address: str
    signed_in_at: datetime.datetime | None
    seen_at: datetime.datetime
    here: bool


class NewPasswordForm(Form):
    new = NewPasswordField()

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.fields["new"].label = "New password"


@require_safe
@own_page
def security(request: HttpRequest, user: User) -> HttpResponse:
    lines = [_line(row, request.session.session_key) for row in sessions_of(user)]
    context = {
        "account": user,
        "factors": of_user(user),
        "sessions": sorted(lines, key=lambda line: not line.here),  # and then the one last used
        "mail_leaves": mail.leaves(),
        "zone": time_zone.own(request),
        "tabs": tabs(request, "security"),
    }
    return render(request, "dashboard/settings/security.html", context)


@sensitive_post_parameters("password", "new")
@require_http_methods(["GET", "HEAD", "POST"])
@owner_page
@own_page
def change_password(request: HttpRequest, user: User) -> HttpResponse:
    """The password of now and a new one. Every other session ends."""
    sent = request.POST if request.method == "POST" else None
    now, form = PasswordAgainForm(sent, user=user), NewPasswordForm(sent)
    now.fields["password"].label = "Current password"
    if form.is_valid() and now.is_valid():
        try:
            changed = passwords.change(actor=actor_of(request), user=user, password=form.cleaned_data["new"])
            return _go_on(request, changed)
        except InvalidRequest as refused:
            form.add_error("new", refused.message.removeprefix("password: ").splitlines())
    refused_at_all = bool(form.errors or now.errors) and sent is not None
    context = {"form": form, "now": now, "account": user, "tabs": tabs(request, "security")}
    return render(
        request, "dashboard/settings/change_password.html", context, status=400 if refused_at_all else 200
    )


@require_POST
@owner_page
@own_page
def confirm_email(request: HttpRequest, user: User) -> HttpResponse:
    """Mails the link. Raises `NotFound` where no mail leaves here, and so no button leads here."""
    if not mail.leaves():
        raise NotFound("This gateway sends no mail.")
    email_addresses.ask(actor=actor_of(request), user=user)
    messages.success(request, f"A link is on its way to {user.email}.")
    return redirect("security")


@require_http_methods(["GET", "HEAD", "POST"])
@fresh_sign_in
@owner_page
@set_up_page
def recovery_codes(request: HttpRequest, user: User) -> HttpResponse:
    """New codes, shown by the answer to the button and never again."""
    if request.method != "POST":
        return render(
            request,
            "dashboard/settings/renew_codes.html",
            {"factors": of_user(user), "tabs": tabs(request, "security")},
        )
    codes = second_factors.renew_codes(actor=actor_of(request), user=user)
    return show_codes(request, codes)


def show_codes(request: HttpRequest, codes: list[str]) -> HttpResponse:
    shown = [grouped(code, 5).replace(" ", "-") for code in codes]
    return render(
        request, "dashboard/settings/recovery_codes.html", {"codes": shown, "tabs": tabs(request, "security")}
    )


@require_http_methods(["GET", "HEAD", "POST"])
@fresh_sign_in
@owner_page
@own_page
def remove_second_factor(request: HttpRequest, user: User, id: str) -> HttpResponse:
    """A question first, since the account is less safe without it."""
    factors = of_user(user)
    found = next((row for row in (factors.app, *factors.passkeys) if row and str(row.pk) == id), None)
    if found is None:
        raise NotFound("There is no such second factor.")
    problem = ""
    if request.method == "POST":
        try:
            second_factors.remove(actor=actor_of(request), user=user, id=found.pk)
            request.session.cycle_key()
            messages.success(request, "Removed.")
            return redirect("security")
        except InvalidRequest as refused:
            problem = refused.message
    last = len(factors.passkeys) + (factors.app is not None) == 1
    context = {"factor": found, "problem": problem, "last": last, "tabs": tabs(request, "security")}
    return render(request, "dashboard/settings/remove_factor.html", context, status=400 if problem else 200)


@require_POST
@own_page
def end_session(request: HttpRequest, user: User) -> HttpResponse:
    """One of one's sessions, this one included. Raises `NotFound` for what is over, or is somebody else's."""
    name = request.POST.get("session", "")
    here = name == name_of(request.session.session_key or "")
    sessions.end(actor=actor_of(request), user=user, name=name)
    if here:
        logout(request)
        return redirect("account_login")
    messages.success(request, "Signed out there.")
    return redirect("security")


@require_POST
@own_page
def end_other_sessions(request: HttpRequest, user: User) -> HttpResponse:
    ended = sessions.end_others(actor=actor_of(request), user=user, key=request.session.session_key)
    messages.success(request, f"Signed out of {ended} other session{'' if ended == 1 else 's'}.")
    return redirect("security")


def _go_on(request: HttpRequest, user: User) -> HttpResponse:
    """In a session with another key, under the new password; it was proved a moment ago."""
    update_session_auth_hash(request, user)
    record_authentication(request, user, method="password", reauthenticated=True)
    known_devices.note(request=request, user=user)
    messages.success(request, "The password is changed, and all other sessions are signed out.")
    return redirect("security")


def _line(row: BrowserSession, key: str | None) -> Line:
    browser = user_agents.in_words(row.user_agent)
    here = row.session_key == key
    return Line(name_of(row.session_key), browser, row.ip_address or "", row.signed_in_at, row.seen_at, here)
