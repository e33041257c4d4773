"""`GET /openapi.json`: for everybody, without a credential."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import etag, require_safe

from admin_api.openapi import document


@require_safe
@cache_control(public=True, no_cache=True)
@etag(lambda request: document.etag())
def openapi(request: HttpRequest) -> HttpResponse:
    """Kept by whoever asked, who asks again whether it is still that."""
    return HttpResponse(document.written(), content_type="application/json")
