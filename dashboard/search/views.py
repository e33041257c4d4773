"""The palette's hits as a fragment, and the same as a page for who has no script."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from dashboard.frame.fragments import wants_fragment
from dashboard.frame.place import Place, member_page
from dashboard.search.hits import LONGEST, found


@require_safe
@member_page
def search(request: HttpRequest, place: Place) -> HttpResponse:
    query = request.GET.get("q", "")[:LONGEST]
    template = "dashboard/search/hits.html" if wants_fragment(request) else "dashboard/search/index.html"
    return render(request, template, {"query": query, "hits": found(place, query)})
