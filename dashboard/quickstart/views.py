"""The first request: a key, snippets that hold it and this gateway's address, and whether one has arrived."""

from __future__ import annotations

import dataclasses
import shlex

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_safe

from dashboard.api_keys.change_views import make
from dashboard.api_keys.forms import FirstKeyForm
from dashboard.api_keys.views import waiting_for
from dashboard.forms import once
from dashboard.frame import snippets
from dashboard.frame.fragments import wants_fragment
from dashboard.frame.navigation import MAKE_KEYS
from dashboard.frame.place import Place, member_page
from dashboard.frame.snippets import Snippet
from gateway.errors import PermissionDenied
from gateway.metering import reports
from gateway.models import ApiKey, Organization
from gateway.quickstart import FILE_NAME


@dataclasses.dataclass(frozen=True)
class Ready:
    """A snippet that holds the new key; with Claude Code's comes its settings file."""

    snippet: Snippet
    code: str
    settings: str


@require_http_methods(["GET", "HEAD", "POST"])
@member_page
def quickstart(request: HttpRequest, place: Place) -> HttpResponse:
    """The answer to the form has the new key, in a page that holds every snippet: no link away would keep it."""
    if made := once.made(request):
        return redirect("api_key", id=made)
    if request.method == "POST" and place.role not in MAKE_KEYS:
        raise PermissionDenied("Your role in this organization does not make keys.")
    form = FirstKeyForm(place.membership, request.POST or None)
    if request.method == "POST" and form.is_valid() and (new := make(request, place, form)) is not None:
        return render(request, "dashboard/quickstart/index.html", _page(request, place) | _with_key(*new))
    context = {"form": form if place.role in MAKE_KEYS else None, "once": once.word(request)}
    return render(
        request, "dashboard/quickstart/index.html", _page(request, place) | _waiting(place) | context
    )


@require_safe
@member_page
def first_request(request: HttpRequest, place: Place) -> HttpResponse:
    if not wants_fragment(request):
        return redirect("quickstart")
    return render(request, "dashboard/api_keys/first_request.html", _waiting(place))


def _page(request: HttpRequest, place: Place) -> dict[str, object]:
    snippet = snippets.snippet_of(request.GET.get("tab", ""))
    return {
        "snippet": snippet,
        "snippets": snippets.SNIPPETS,
        "claude_code_settings": snippets.CLAUDE_CODE_SETTINGS if snippet.key == "claude-code" else None,
        "base_url": settings.CONFIGURATION.base_url,
        "quickstart_file": FILE_NAME,
        "make_key": _make_key(place.organization),
        "placeholder": snippets.EXAMPLE_KEY,
    }


@sensitive_variables("secret")
def _with_key(key: ApiKey, secret: str) -> dict[str, object]:
    ready = [
        Ready(
            snippet=one,
            code=one.code_with(secret),
            settings=snippets.CLAUDE_CODE_SETTINGS.code_with(secret) if one.key == "claude-code" else "",
        )
        for one in snippets.SNIPPETS
    ]
    return {"key": key, "secret": secret, "ready": ready, **waiting_for(key)}


def _waiting(place: Place) -> dict[str, object]:
    here = reverse("quickstart")
    arrived = reports.has_usage(place.organization.id)
    return {"arrived": arrived, "waits_at": f"{here}/first-request", "look_again": here}


def _make_key(organization: Organization) -> str:
    """For a shell: names may hold anything."""
    return f".venv/bin/python manage.py create_api_key --organization {shlex.quote(organization.name)} --name first"
