"""API keys: the list, its file, and one of them with what it used."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_safe

from admin_api import access
from admin_api.queries import api_keys as queries
from admin_api.queries.member_workspaces import member_workspaces
from dashboard.api_keys import usage
from dashboard.api_keys.forms import FindForm
from dashboard.api_keys.lines import STATUSES, lines
from dashboard.api_keys.listing import HEADER, STALE, WHOLE_ORGANIZATION, key_list
from dashboard.downloads.csv_export import csv_response
from dashboard.frame import snippets
from dashboard.frame.fragments import wants_fragment
from dashboard.frame.navigation import MAKE_KEYS
from dashboard.frame.place import Place, member_page_for
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
