"""`/docs`: the API's reference, for everybody. The document comes from whoever routes here."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from dashboard.reference.chapters import Source, basics_of, chapters_of, matching, refusals_of
from gateway.errors import NotFound

LONGEST_QUERY = 100  # characters


@require_safe
def index(request: HttpRequest, document: Source) -> HttpResponse:
    """All operations, or those that hold every word of `q`."""
    chapters = chapters_of(document)
    query = request.GET.get("q", "")[:LONGEST_QUERY].strip()
    context = {
        "chapters": chapters,
        "found": matching(chapters, query),
        "query": query,
        "basics": basics_of(document),
        "refusals": refusals_of(document),
        "base_url": document()["servers"][0]["url"],
    }
    return render(request, "dashboard/reference/index.html", context)


@require_safe
def chapter(request: HttpRequest, slug: str, document: Source) -> HttpResponse:
    """Raises `NotFound`, shown as 404."""
    chapters = chapters_of(document)
    found = next((one for one in chapters if one.slug == slug), None)
    if found is None:
        raise NotFound("There is no such chapter.")
    return render(request, "dashboard/reference/chapter.html", {"chapters": chapters, "chapter": found})
