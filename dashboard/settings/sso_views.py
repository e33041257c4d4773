"""Where admins set up single sign-on: enter the provider, try it, turn it on, require it."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from admin_api.actions import sso_connections
from admin_api.queries.sso import connection_of
from dashboard.forms.fresh_sign_in import fresh_sign_in
from dashboard.frame.place import Place, actor_of, member_page_for
from dashboard.frame.role_words import role_name
from dashboard.settings.sso_forms import FORMS, ConnectionForm, RequireForm
from dashboard.settings.tabs import tabs
from dashboard.single_sign_on.departure import depart
from dashboard.single_sign_on.openid import redirect_uri
from dashboard.single_sign_on.saml import acs_url, sp_entity_id
from gateway.errors import InvalidRequest, NotFound
from gateway.models import Membership, SsoConnection

Kind = SsoConnection.Kind
admins = member_page_for(Membership.Role.ADMIN)


@require_safe
@admins
def connection(request: HttpRequest, place: Place) -> HttpResponse:
    held = connection_of(place.organization)
    named = held.break_glass.values_list("id", flat=True) if held else ()
    return _shown(request, place, RequireForm(place, named=list(named)))


@require_http_methods(["GET", "HEAD", "POST"])
@fresh_sign_in
@admins
def new_connection(request: HttpRequest, place: Place, kind: str) -> HttpResponse:
    if kind not in FORMS:
        raise NotFound("There is no such page.")
    form = FORMS[kind](request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            sso_connections.create(
                actor=actor_of(request),
                organization=place.organization,
                provider=form.provider(),
                domains=form.cleaned_data["domains"],
                role=form.cleaned_data["role"],
            )
            messages.success(
                request, "Saved. Now enter the addresses below at your provider, and test the sign-in."
            )
            return redirect("sso")
        except InvalidRequest as refused:
            form.refuse(refused)
    return _form(request, form, "add provider")


@require_http_methods(["GET", "HEAD", "POST"])
@fresh_sign_in
@admins
def edit_connection(request: HttpRequest, place: Place) -> HttpResponse:
    held = _held(place)
    form = FORMS[held.kind](request.POST if request.method == "POST" else None, initial=_initial(held))
    if form.is_valid():
        try:
            changed = sso_connections.update(
                actor=actor_of(request),
                connection=held,
                provider=form.provider(),
                domains=form.cleaned_data["domains"],
                role=form.cleaned_data["role"],
            )
            again = changed.state == SsoConnection.State.DRAFT
            messages.success(request, "Saved. Test the sign-in before you turn it on." if again else "Saved.")
            return redirect("sso")
        except InvalidRequest as refused:
            form.refuse(refused)
    return _form(request, form, "change provider")


@require_POST
@fresh_sign_in
@admins
def test_sign_in(request: HttpRequest, place: Place) -> HttpResponse:
    try:
        return depart(request, _held(place), test=True)
    except InvalidRequest as refused:
        messages.error(request, refused.message)
        return redirect("sso")


@require_POST
@fresh_sign_in
@admins
def turn(request: HttpRequest, place: Place) -> HttpResponse:
    """On, off, or on without being required."""
    verbs = {
        "on": (sso_connections.turn_on, "Single sign-on is on."),
        "off": (sso_connections.turn_off, "Single sign-on is off."),
        "optional": (sso_connections.stop_requiring, "Members may use their passwords again."),
    }
    verb, words = verbs.get(request.POST.get("to", ""), (None, ""))
    if verb is None:
        raise InvalidRequest("to: expected on, off or optional")
    try:
        verb(actor=actor_of(request), connection=_held(place))
        messages.success(request, words)
    except InvalidRequest as refused:
        messages.error(request, refused.message)
    return redirect("sso")


@require_POST
@fresh_sign_in
@admins
def require(request: HttpRequest, place: Place) -> HttpResponse:
    form, held = RequireForm(place, request.POST), _held(place)
    if form.is_valid():
        try:
            named = form.cleaned_data["break_glass"]
            sso_connections.require(actor=actor_of(request), connection=held, break_glass=named)
            messages.success(request, "Members now come through your provider.")
            return redirect("sso")
        except InvalidRequest as refused:
            form.refuse(refused)
    return _shown(request, place, form, status=400)


@require_http_methods(["GET", "HEAD", "POST"])
@fresh_sign_in
@admins
def remove(request: HttpRequest, place: Place) -> HttpResponse:
    held = _held(place)
    if request.method == "POST":
        sso_connections.remove(actor=actor_of(request), connection=held)
        messages.success(request, "The provider is removed.")
        return redirect("sso")
    return render(request, "dashboard/settings/remove_sso.html", {"tabs": tabs(request, "sso")})


def _held(place: Place) -> SsoConnection:
    held = connection_of(place.organization)
    if held is None:
        raise NotFound("This organization has no identity provider.")
    return held


def _initial(held: SsoConnection) -> dict[str, object]:
    names = ("issuer", "client_id", "entity_id", "sso_url", "certificate", "role")
    domains = sorted(held.domains.values_list("name", flat=True))
    return {"domains": domains, **{name: getattr(held, name) for name in names}}


def _form(request: HttpRequest, form: ConnectionForm, title: str) -> HttpResponse:
    context = {"form": form, "title": title, "tabs": tabs(request, "sso")}
    return render(request, "dashboard/settings/sso_form.html", context, status=400 if form.errors else 200)


def _shown(request: HttpRequest, place: Place, form: RequireForm, status: int = 200) -> HttpResponse:
    held = connection_of(place.organization)
    context = {
        "connection": held,
        "organization": place.organization,
        "form": form,
        "role": role_name(held.role) if held else "",
        "domains": sorted(held.domains.values_list("name", flat=True)) if held else [],
        "break_glass": held.break_glass.order_by("email") if held else [],
        "ours": _ours(held) if held else [],
        "tabs": tabs(request, "sso"),
    }
    return render(request, "dashboard/settings/sso.html", context, status=status)


def _ours(held: SsoConnection) -> list[tuple[str, str]]:
    """What is entered at the provider."""
    if held.kind == Kind.OIDC:
        return [("Redirect URI", redirect_uri(held.id))]
    return [
        ("ACS URL", acs_url(held.id)),
        ("Entity ID (audience), where our metadata is, too", sp_entity_id(held.id)),
    ]
