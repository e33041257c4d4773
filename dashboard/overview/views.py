"""The first page: where the organization stands, what was used, and how near the limits are."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from dashboard.frame import snippets
from dashboard.frame.fragments import wants_fragment
from dashboard.frame.place import Place, member_page
from dashboard.limits import live
from dashboard.overview import first_steps, leaders, standing, unpriced, usage
from dashboard.reports.ranges import RANGES, range_of


@require_safe
@member_page
def overview(request: HttpRequest, place: Place) -> HttpResponse:
    return render(request, "dashboard/overview/index.html", {**_usage(request, place), **_limits(place)})


@require_safe
@member_page
def usage_region(request: HttpRequest, place: Place) -> HttpResponse:
    """The figures and charts alone, for the page that refreshes itself; opened by hand, the whole page."""
    if not wants_fragment(request):
        return overview(request)
    return render(request, "dashboard/overview/usage.html", _usage(request, place))


@require_safe
@member_page
def limits_region(request: HttpRequest, place: Place) -> HttpResponse:
    """The gauges alone, as above."""
    if not wants_fragment(request):
        return overview(request)
    return render(request, "dashboard/limits/card.html", _limits(place))


def _usage(request: HttpRequest, place: Place) -> dict[str, object]:
    chosen = range_of(request.GET.get("range", ""))
    now = timezone.now()
    used = usage.read(place, chosen, now)
    return {
        "usage": used,
        "standing": standing.read(place, now),
        "leaders": leaders.read(place, used, now) if used.ever else None,
        "steps": first_steps.steps(place, used),
        "unpriced": unpriced.read(place, used),
        "ranges": RANGES,
        "range": chosen,
        "first_request": None if used.ever else snippets.snippet_of("curl"),
    }


def _limits(place: Place) -> dict[str, object]:
    return {"limits": live.read(place.organization, timezone.now())}
