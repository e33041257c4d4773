"""The first request: snippets with this gateway's address, and whether one has arrived."""

from __future__ import annotations

import shlex

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from dashboard import snippets
from dashboard.fragments import wants_fragment
from dashboard.place import Place, member_page
from gateway.metering import reports
from gateway.models import Organization
from gateway.quickstart import FILE_NAME


@require_safe
@member_page
def quickstart(request: HttpRequest, place: Place) -> HttpResponse:
    snippet = snippets.snippet_of(request.GET.get("tab", ""))
    context = {
        "snippet": snippet,
        "snippets": snippets.SNIPPETS,
        "claude_code_settings": snippets.CLAUDE_CODE_SETTINGS if snippet.key == "claude-code" else None,
        "base_url": settings.CONFIGURATION.base_url,
        "quickstart_file": FILE_NAME,
        "make_key": _make_key(place.organization),
        "placeholder": snippets.EXAMPLE_KEY,
        **_waiting(place),
    }
    return render(request, "dashboard/quickstart.html", context)


@require_safe
@member_page
def first_request(request: HttpRequest, place: Place) -> HttpResponse:
    if not wants_fragment(request):
        return redirect("quickstart")
    return render(request, "dashboard/first_request.html", _waiting(place))


def _waiting(place: Place) -> dict[str, object]:
    here = reverse("quickstart")
    arrived = reports.has_usage(place.organization.id)
    return {"arrived": arrived, "waits_at": f"{here}/first-request", "look_again": here}


def _make_key(organization: Organization) -> str:
    """For a shell: names may hold anything."""
    return f".venv/bin/python manage.py create_api_key --organization {shlex.quote(organization.name)} --name first"
