"""Logs: the requests of an organization, newest first; live; as files; and one of them."""

from __future__ import annotations

from django.conf import settings
from django.db import close_old_connections, connection
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from admin_api import access
from admin_api.actions import request_contents
from admin_api.queries import request_log
from admin_api.queries.log_sight import READERS, Sight, sight_of
from admin_api.queries.log_tail import taste_of
from dashboard.downloads.csv_export import csv_response
from dashboard.downloads.download import download
from dashboard.frame import snippets, time_zone
from dashboard.frame.place import Place, actor_of, member_page_for
from dashboard.frame.request_ids import request_id_in
from dashboard.logs import choices, files
from dashboard.logs import content as log_content
from dashboard.logs import snippets as log_snippets
from dashboard.logs.filters import LogFilters, chips, place_of, query, wanted_of, written
from dashboard.logs.lines import Line
from dashboard.logs.request import log_request
from dashboard.logs.streams import streams
from gateway.errors import NotFound, PermissionDenied

ON_A_PAGE = 50


@require_safe
@member_page_for(*READERS)
def logs(request: HttpRequest, place: Place) -> HttpResponse:
    """The newest first, or what is older than `?before=`; `?q=` leads to the request with that id."""
    asked = request_id_in(request.GET.get("q", ""))
    if asked and _is_known(place, asked):
        return redirect("log", id=asked)
    sight = sight_of(place.membership)
    with timezone.override(time_zone.shown(request)):
        return render(request, "dashboard/logs/index.html", {**_listed(request, sight), "missing": asked})


@require_safe
@member_page_for(*READERS)
def log(request: HttpRequest, place: Place, id: str) -> HttpResponse:
    with timezone.override(time_zone.shown(request)):
        return render(request, "dashboard/logs/log.html", _opened(request, place, id))


@require_http_methods(["GET", "HEAD", "POST"])
@member_page_for(*READERS)
def content(request: HttpRequest, place: Place, id: str) -> HttpResponse:
    """The same page with what was asked and answered; by POST, since reading it is written down. The address stays in
    the browser, so that whoever opens it again comes to the page without."""
    if request.method != "POST":
        return redirect("log", id=id)
    with timezone.override(time_zone.shown(request)):
        context = _opened(request, place, id)
        if context["content"] == log_content.HIDDEN:
            raise PermissionDenied("Admins of the organization and of the workspace may read this.")
        read = request_contents.read(actor=actor_of(request), organization=place.organization, request_id=id)
        context |= {"said": log_content.said(read), "kept_until": read.expires_at}
        return render(request, "dashboard/logs/log.html", context)


@require_safe
@member_page_for(*READERS)
def csv_file(request: HttpRequest, place: Place) -> HttpResponse:
    """All that the filters find, made while it is sent."""
    found = request_log.entries(sight_of(place.membership), wanted_of(request.GET))
    return csv_response(request, "requests", files.FIELDS, files.records(found))


@require_safe
@member_page_for(*READERS)
def json_file(request: HttpRequest, place: Place) -> HttpResponse:
    found = request_log.entries(sight_of(place.membership), wanted_of(request.GET))
    return download(request, "requests.json", "application/json", files.json_lines(found))


@require_safe
@member_page_for(*READERS)
def events(request: HttpRequest, place: Place) -> HttpResponse:
    """What is new, as server-sent events; see `dashboard/logs/streams.py`."""
    sight = sight_of(place.membership)
    taste = taste_of(sight, wanted_of(request.GET))
    if not connection.in_atomic_block:
        close_old_connections()  # ours would stay open for as long as the stream
    response = StreamingHttpResponse(
        streams.stream(taste, place.user.id, time_zone.shown(request)),
        content_type="text/event-stream; charset=utf-8",
    )
    response["X-Accel-Buffering"] = "no"
    return response


def _opened(request: HttpRequest, place: Place, id: str) -> dict[str, object]:
    known = access.logged_request(place.membership, id)
    found = log_request(id, known)
    last = found.last
    copies = log_snippets.copies(last) if last else []
    return {
        "found": found,
        "content": log_content.standing(place, known.workspace_id, id),
        "line": Line(last) if last else None,
        "copies": copies,
        "copy": log_snippets.copy_of(copies, request.GET.get("as", "")) if copies else None,
        "address": f"{settings.CONFIGURATION.base_url}{reverse('log', args=[id])}",
        "placeholder": snippets.EXAMPLE_KEY,
        "zone": timezone.get_current_timezone_name(),
    }


def _is_known(place: Place, request_id: str) -> bool:
    try:
        return bool(access.logged_request(place.membership, request_id))
    except NotFound:
        return False


def _listed(request: HttpRequest, sight: Sight) -> dict[str, object]:
    filters = LogFilters(request.GET, choices.choices(sight))
    before = place_of(request.GET.get("before", ""))
    found = request_log.page(sight, filters.wanted(), before, ON_A_PAGE)
    return {
        "lines": [Line(entry) for entry in found.entries],
        "filters": filters,
        "chips": chips(filters),
        "query": query(filters),
        "newest": (query(filters) or "?") if before else "",
        "older": query(filters, before=written(found.older)) if found.older else "",
        "reach": found.reach,
        "live": request.GET.get("live") == "yes" and before is None,
        "tail": query(filters, live="yes"),
        "whole": sight.is_whole,
        "as_of": timezone.now(),
        "zone": timezone.get_current_timezone_name(),
        "snippet": snippets.snippet_of("curl"),
    }
