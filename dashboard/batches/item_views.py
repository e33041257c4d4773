"""A single request of a batch, and its results as files."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from admin_api import access
from dashboard.batches import items
from dashboard.batches.files import file_of
from dashboard.frame.place import Place, member_page
from gateway.errors import NotFound

FILES = {
    "results": ("succeeded", "errored", "canceled", "expired"),
    "errors": ("errored",),
}


@require_safe
@member_page
def batch_item(request: HttpRequest, place: Place, id: str, number: int) -> HttpResponse:
    found = access.message_batch(place.membership, id)
    context = {"batch": found, "item": items.whole(found, number)}
    return render(request, "dashboard/batches/item.html", context)


@require_safe
@member_page
def batch_file(request: HttpRequest, place: Place, id: str, name: str) -> StreamingHttpResponse:
    """`results` or `errors` of a batch that has ended, one JSON object a line. Raises `NotFound`."""
    found = access.message_batch(place.membership, id)
    if name not in FILES or not items.may_download(found):
        raise NotFound("There is no such file.")
    return file_of(request, found, name, FILES[name])
