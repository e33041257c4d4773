"""API keys: the list, one of them with what it used, and everything that is done with it."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from admin_api import access
from admin_api.actions import api_keys as actions
from admin_api.queries import api_keys as queries
from admin_api.queries.member_workspaces import member_workspaces
from dashboard.api_keys import usage
from dashboard.api_keys.forms import ArchiveForm, ChangedKeyForm, FindForm, NewKeyForm, RotateForm
from dashboard.api_keys.lines import STATUSES, lines
from dashboard.api_keys.listing import HEADER, STALE, WHOLE_ORGANIZATION, key_list
from dashboard.downloads.csv_export import csv_response
from dashboard.forms import once
from dashboard.forms.fresh_sign_in import fresh_sign_in
from dashboard.frame import snippets
from dashboard.frame.fragments import wants_fragment
from dashboard.frame.navigation import MAKE_KEYS
from dashboard.frame.place import Place, actor_of, member_page_for
from gateway.errors import InvalidRequest, PermissionDenied
from gateway.models import ApiKey

keys_page = member_page_for(*MAKE_KEYS)


@require_safe
@keys_page
def api_keys(request: HttpRequest, place: Place) -> HttpResponse:
    """The newest or the last used first; the list alone for the page that refreshes itself."""
    listed, after, now = key_list(place, request.GET.dict()), request.GET.get("after", ""), timezone.now()
    page = listed.page(after)
    context = {
        "lines": lines(place.organization, page.rows, now),
        "list": listed,
        "after": after,
        "query": listed.query_after(after) if after else listed.query,
        "older": listed.query_after(page.rows[-1].id) if page.has_more else "",
        "as_of": now,
        "snippet": None if page.rows else snippets.snippet_of("curl"),
    }
    if wants_fragment(request):
        return render(request, "dashboard/api_keys/list.html", context)
    return render(request, "dashboard/api_keys/index.html", context | _choices(place))


def _choices(place: Place) -> dict[str, object]:
    mine = member_workspaces(place.membership).order_by("-is_default", "name")
    workspaces = list(mine.values_list("id", "name"))
    if place.is_admin:
        workspaces.append((WHOLE_ORGANIZATION, "The whole organization"))
    return {
        "statuses": [*STATUSES.items(), (STALE, "Not used for 90 days")],
        "workspaces": workspaces,
        "find": FindForm(),
    }


@require_safe
@keys_page
def api_keys_csv(request: HttpRequest, place: Place) -> StreamingHttpResponse:
    """What the page's filters leave, all of it."""
    listed = key_list(place, request.GET.dict())
    return csv_response(request, "api-keys", HEADER, listed.rows(timezone.now()))


@sensitive_post_parameters()
@sensitive_variables("secret")
@require_http_methods(["GET", "HEAD", "POST"])
@keys_page
def find(request: HttpRequest, place: Place) -> HttpResponse:
    """By a whole key, which is sent in the body, digested, and forgotten."""
    form = FindForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        secret = form.cleaned_data["secret"]
        found = queries.with_secret(queries.keys_for(place.membership), secret)
        if found is not None:
            return redirect("api_key", id=found.id)
        form.add_error("secret", "No key that you may see has this secret, or had it before a rotation.")
    return render(request, "dashboard/api_keys/find.html", {"form": form})


@require_safe
@keys_page
def api_key(request: HttpRequest, place: Place, id: str) -> HttpResponse:
    key, now = access.api_key_for(place.membership, id), timezone.now()
    days = usage.days_of(request.GET.get("range", ""))
    context = {
        "key": key,
        "line": lines(place.organization, [key], now)[0],
        "usage": usage.read(key, days, now),
        "ranges": usage.RANGES,
        "limits": [(name.replace("_", " "), value) for name, value in key.limits.items()],
        "may_change": queries.may_change(place.membership, key),
        "previous_until": key.previous_until if key.previous_until and key.previous_until > now else None,
        "as_of": now,
    }
    return render(request, "dashboard/api_keys/key.html", context)


@require_safe
@keys_page
def first_request(request: HttpRequest, place: Place, id: str) -> HttpResponse:
    """Whether the key was used, for the page that waits for it."""
    key = access.api_key_for(place.membership, id)
    if not wants_fragment(request):
        return redirect("api_key", id=key.id)
    return render(request, "dashboard/api_keys/first_request.html", waiting_for(key))


def waiting_for(key: ApiKey) -> dict[str, object]:
    """What the line needs that waits for a key's first request."""
    here = reverse("api_key", args=[key.id])
    return {"arrived": key.last_use is not None, "waits_at": f"{here}/first-request", "look_again": here}


@require_http_methods(["GET", "HEAD", "POST"])
@keys_page
def create(request: HttpRequest, place: Place) -> HttpResponse:
    """The answer to the form is the page with the secret, which is kept nowhere."""
    if made := once.made(request):
        return redirect("api_key", id=made)
    form = NewKeyForm(place.membership, request.POST or None)
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
