"""Limits: every one that can block a request, and why one was blocked."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from dashboard.frame.fragments import wants_fragment
from dashboard.frame.place import Place, member_page
from dashboard.limits import gauges, money_gauges, refused_requests
from dashboard.limits.forms import HoldersForm, RequestForm
from dashboard.limits.holders import Chosen, choose
from gateway.models import Workspace


@require_safe
@member_page
def limits(request: HttpRequest, place: Place) -> HttpResponse:
    """All of the page, or the gauges alone for the page that refreshes itself."""
    chosen = choose(place, request.GET.get("workspace", ""), request.GET.get("key", ""))
    context = _now(chosen)
    if wants_fragment(request):
        return render(request, "dashboard/limits/now.html", context)
    return render(request, "dashboard/limits/index.html", context | _asked(request, chosen))


def takes_limits(workspace: Workspace | None) -> bool:
    return workspace is not None and not workspace.is_default and workspace.archived_at is None


def _now(chosen: Chosen) -> dict[str, object]:
    now = timezone.now()
    shown = {
        name: found.id
        for name, found in (("workspace", chosen.workspace), ("key", chosen.key))
        if found is not None
    }
    return {
        "chosen": chosen,
        "address": f"{reverse('limits')}?{urlencode(shown)}",
        "shown": shown,
        "limits": gauges.read(chosen, now),
        "money": money_gauges.read(chosen, now),
        "may_change": chosen.place.is_admin and takes_limits(chosen.workspace),
        "as_of": now,
    }


def _asked(request: HttpRequest, chosen: Chosen) -> dict[str, object]:
    asked = request.GET.get("request_id", "")
    return {
        "holders": HoldersForm(chosen),
        "request_form": RequestForm(initial={"request_id": asked}),
        "answer": refused_requests.answer(chosen, asked),
        "refused": refused_requests.latest(chosen, request.GET.get("page", "")),
        "page": request.GET.get("page", ""),
        "own_limits": sorted(chosen.organization.limits) + sorted(chosen.organization.group_limits),
    }
