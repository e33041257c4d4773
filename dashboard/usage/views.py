"""Usage: tokens, requests and tools of any time, told apart and filtered; and its file."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from admin_api.queries.spend_summaries import spend_summaries
from dashboard.downloads.csv_export import csv_response
from dashboard.frame import snippets
from dashboard.frame.fragments import wants_fragment
from dashboard.frame.place import Place, member_page
from dashboard.reports import breakdown, group_names
from dashboard.reports.budgets import of_member
from dashboard.reports.selection import Selection, selection
from dashboard.usage import report as usage_report
from dashboard.usage.report import UsageReport
from gateway.metering.reports import has_usage


@require_safe
@member_page
def usage(request: HttpRequest, place: Place) -> HttpResponse:
    """The whole page, or the figures alone for the page that refreshes itself."""
    chosen = _selection(request, place)
    report = UsageReport(breakdown.read(chosen, usage_report.MEASURES))
    figures = {"selection": chosen, "report": report, "breakdown": report.breakdown, "as_of": timezone.now()}
    if wants_fragment(request):
        return render(request, "dashboard/usage/figures.html", figures)
    ever = has_usage(place.organization.id)
    return render(
        request,
        "dashboard/usage/index.html",
        {
            **figures,
            "ever": ever,
            "filters": group_names.filters(chosen),
            "limits": of_member(spend_summaries(place.organization, [place.user])),
            "first_request": None if ever else snippets.snippet_of("curl"),
        },
    )


@require_safe
@member_page
def usage_file(request: HttpRequest, place: Place) -> HttpResponse:
    chosen = _selection(request, place)
    header, rows = usage_report.file_header(chosen), usage_report.file_rows(chosen)
    return csv_response(request, chosen.file_name("usage"), header, rows)


def _selection(request: HttpRequest, place: Place) -> Selection:
    return selection(request, place, reverse("usage"), usage_report.GROUPINGS, usage_report.SORTS)
