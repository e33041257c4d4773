"""Pages, styles and scripts are compressed on their way; what is streamed for long is not.

Django adds a random number of bytes to each page, so that lengths tell nothing of secrets in it (BREACH). What it
makes of a response that streams asynchronously, as static files do, is one gzip member a chunk, of which browsers read
the first: those files are compressed whole, once.
"""

from __future__ import annotations

import gzip
from functools import cache

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from django.utils.cache import patch_vary_headers

from dashboard.frame.static_files import content_of

TEXT = ("text/", "application/json", "application/javascript", "image/svg+xml")
FOR_MACHINES = ("/v1/", "/platform/")  # their reports are megabytes, and mostly read on the same network


class CompressionMiddleware(GZipMiddleware):
    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if not _worth_it(request, response):
            return response
        if response.streaming:
            return _whole(request, response) if request.path.startswith(settings.STATIC_URL) else response
        compressed: HttpResponseBase = super().process_response(request, response)
        return compressed


def _worth_it(request: HttpRequest, response: HttpResponseBase) -> bool:
    """A part of a file (206) stays as it is, since its positions are those of the whole."""
    if response.status_code != 200 or request.path.startswith(FOR_MACHINES):
        return False
    return response.get("Content-Type", "").startswith(TEXT)


def _whole(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    patch_vary_headers(response, ("Accept-Encoding",))
    if "gzip" not in request.headers.get("Accept-Encoding", "") or request.method != "GET":
        return response
    whole = HttpResponse(_compressed(request.path), headers=dict(response.items()))
    whole["Content-Encoding"] = "gzip"
    whole["Content-Length"] = str(len(whole.content))
    if "ETag" in whole and not whole["ETag"].startswith("W/"):
        whole["ETag"] = f"W/{whole['ETag']}"
    response.close()
    return whole


@cache
def _compressed(path: str) -> bytes:
    return gzip.compress(content_of(path))
