"""Cost: dollars of any time, told apart, with their prices; its file; budgets and the month ahead."""

from __future__ import annotations

import datetime

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from admin_api.queries.budgets import budget_limits, budgets, fullest_budgets
from admin_api.queries.recent_spend import recent_spend
from admin_api.queries.spend_limit_increase_requests import Status, increase_requests, petitions
from dashboard.cost import report as cost_report
from dashboard.cost.price_lines import price_lines
from dashboard.cost.report import CostReport
from dashboard.downloads.csv_export import csv_response
from dashboard.frame.fragments import wants_fragment
from dashboard.frame.place import Place, member_page_for
from dashboard.reports import breakdown, group_names
from dashboard.reports.budgets import MOST, line
from dashboard.reports.selection import Selection, selection
from gateway.metering.reports import has_usage
from gateway.models import Membership

READ = (Membership.Role.ADMIN, Membership.Role.DEVELOPER, Membership.Role.BILLING)
WRITE = (Membership.Role.ADMIN, Membership.Role.BILLING)
MOST_REQUESTS = 20


@require_safe
@member_page_for(*READ)
def cost(request: HttpRequest, place: Place) -> HttpResponse:
    """The whole page, or the figures alone for the page that refreshes itself."""
    chosen, now = _selection(request, place), timezone.now()
    found = breakdown.read(chosen, cost_report.measures(chosen))
    report = CostReport(found, [] if chosen.problem else price_lines(chosen.question()))
    month = recent_spend(place.organization, now)
    figures = {
        "selection": chosen,
        "report": report,
        "breakdown": found,
        "month": month,
        "forecast": month.forecast(now),
        "as_of": now,
    }
    if wants_fragment(request):
        return render(request, "dashboard/cost/figures.html", figures)
    return render(
        request,
        "dashboard/cost/index.html",
        {
            **figures,
            "ever": has_usage(place.organization.id),
            "filters": group_names.filters(chosen),
            **_budgets(place, now, every=request.GET.get("budgets") == "all"),
            "petitions": _petitions(place),
            "may_write": place.role in WRITE,
        },
    )


@require_safe
@member_page_for(*READ)
def cost_file(request: HttpRequest, place: Place) -> HttpResponse:
    chosen = _selection(request, place)
    header, rows = cost_report.file_header(chosen), cost_report.file_rows(chosen)
    return csv_response(request, chosen.file_name("cost"), header, rows)


def _selection(request: HttpRequest, place: Place) -> Selection:
    return selection(request, place, reverse("cost"), cost_report.GROUPINGS, cost_report.SORTS)


def _budgets(place: Place, now: datetime.datetime, *, every: bool) -> dict[str, object]:
    """Those of which most is used, where there are many and not `every` one was asked for."""
    number = budget_limits(place.organization).count()
    few = number <= MOST or every
    held = budgets(place.organization, now) if few else fullest_budgets(place.organization, now, MOST)
    return {"budgets": [line(one) for one in held], "all_budgets": number}


def _petitions(place: Place) -> list[object]:
    """Requests for higher limits that wait for somebody to decide, the oldest first."""
    waiting = increase_requests(place.organization, statuses=[Status.PENDING]).order_by("created_at", "id")
    return list(petitions(place.organization, list(waiting[:MOST_REQUESTS])))
