"""Everything that is done with an API key: made, changed, switched, rotated, archived."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from admin_api import access
from admin_api.actions import api_keys as actions
from admin_api.queries import api_keys as queries
from dashboard.api_keys.forms import ArchiveForm, ChangedKeyForm, NewKeyForm, RotateForm
from dashboard.api_keys.views import keys_page, waiting_for
from dashboard.forms import once
from dashboard.forms.fresh_sign_in import fresh_sign_in
from dashboard.frame.place import Place, actor_of
from gateway.errors import InvalidRequest, PermissionDenied
from gateway.models import ApiKey


@require_http_methods(["GET", "HEAD", "POST"])
@keys_page
def create(request: HttpRequest, place: Place) -> HttpResponse:
    """The answer to the form is the page with the secret, which is kept nowhere."""
    if made := once.made(request):
        return redirect("api_key", id=made)
    chosen = {"workspace": request.GET["workspace"]} if "workspace" in request.GET else {}
    form = NewKeyForm(place.membership, request.POST or None, initial=chosen)
    if request.method == "POST" and form.is_valid() and (new := make(request, place, form)) is not None:
        return _with_secret(request, *new, title="API key created")
    context = {"form": form, "once": once.word(request)}
    return render(request, "dashboard/api_keys/new.html", context)


def make(request: HttpRequest, place: Place, form: NewKeyForm) -> tuple[ApiKey, str] | None:
    """The key of a valid form and its secret; None where it is refused, which the form then says."""
    try:
        key, secret = actions.create(
            actor=actor_of(request),
            organization=place.organization,
            created_by=place.user,
            **form.given(),
        )
    except InvalidRequest as error:
        form.refuse(error)
        return None
    once.remember(request, key.id)
    return key, secret


@sensitive_variables("secret")
def _with_secret(request: HttpRequest, key: ApiKey, secret: str, *, title: str) -> HttpResponse:
    until = key.previous_until
    context = {
        "key": key,
        "secret": secret,
        "title": title,
        "works_on": until is not None and until > timezone.now(),
        "base_url": settings.CONFIGURATION.base_url,
        **waiting_for(key),
    }
    return render(request, "dashboard/api_keys/secret.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@keys_page
def edit(request: HttpRequest, place: Place, id: str) -> HttpResponse:
    key = _changeable(place, id)
    form = ChangedKeyForm(key, request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            actions.update(actor=actor_of(request), key=key, **form.given())
        except InvalidRequest as error:
            form.refuse(error)
        else:
            messages.success(request, "The key is changed. Requests follow within a second.")
            return redirect("api_key", id=key.id)
    return render(request, "dashboard/api_keys/edit.html", {"form": form, "key": key})


@require_POST
@keys_page
def switch(request: HttpRequest, place: Place, id: str) -> HttpResponse:
    """Disables an active key, enables one that is disabled."""
    key, wanted = _changeable(place, id), request.POST.get("status", "")
    if wanted not in (ApiKey.Status.ACTIVE, ApiKey.Status.INACTIVE):
        raise InvalidRequest("status: expected active or inactive")
    actions.update(actor=actor_of(request), key=key, status=wanted)
    on = wanted == ApiKey.Status.ACTIVE
    messages.success(
        request, "The key works again." if on else "The key is disabled: requests with it are refused."
    )
    return redirect("api_key", id=key.id)


@require_http_methods(["GET", "HEAD", "POST"])
@fresh_sign_in
@keys_page
def rotate(request: HttpRequest, place: Place, id: str) -> HttpResponse:
    if made := once.made(request):
        return redirect("api_key", id=made)
    key = _changeable(place, id)
    form = RotateForm(key.name, request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            key, secret = actions.rotate(actor=actor_of(request), key=key, overlap=form.length)
        except InvalidRequest as error:
            form.refuse(error)
        else:
            once.remember(request, key.id)
            return _with_secret(request, key, secret, title="New secret")
    context = {"form": form, "key": key, "once": once.word(request)}
    return render(request, "dashboard/api_keys/rotate.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@fresh_sign_in
@keys_page
def archive(request: HttpRequest, place: Place, id: str) -> HttpResponse:
    """For good: an archived key is never brought back."""
    key = _changeable(place, id)
    form = ArchiveForm(key.name, request.POST or None)
    if request.method == "POST" and form.is_valid():
        actions.update(actor=actor_of(request), key=key, status=ApiKey.Status.ARCHIVED)
        messages.success(request, f"{key.name} is archived.")
        return redirect("api_keys")
    return render(request, "dashboard/api_keys/archive.html", {"form": form, "key": key})


def _changeable(place: Place, id: str) -> ApiKey:
    """Raises `NotFound`, and `PermissionDenied` for a key that is somebody else's to change."""
    key = access.api_key_for(place.membership, id)
    if not queries.may_change(place.membership, key):
        raise PermissionDenied("This key acts for somebody else: they and admins may change it.")
    return key
