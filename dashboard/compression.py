"""Pages, styles and scripts are compressed on their way; what is streamed for long is not.

Django adds a random number of bytes to each, so that lengths tell nothing of secrets in a page (BREACH).
"""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware

TEXT = ("text/", "application/json", "application/javascript", "image/svg+xml")
FOR_MACHINES = ("/v1/", "/platform/")  # their reports are megabytes, and mostly read on the same network


class CompressionMiddleware(GZipMiddleware):
    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if not _worth_it(request, response):
            return response
        compressed: HttpResponseBase = super().process_response(request, response)
        return compressed


def _worth_it(request: HttpRequest, response: HttpResponseBase) -> bool:
    """A part of a file (206) stays as it is, since its positions are those of the whole."""
    if response.status_code != 200 or request.path.startswith(FOR_MACHINES):
        return False
    if response.streaming and not request.path.startswith(settings.STATIC_URL):
        return False  # events, and files that are made while they are sent
    return response.get("Content-Type", "").startswith(TEXT)
