"""Parts of pages that refresh themselves."""

from __future__ import annotations

from django.http import HttpRequest


def wants_fragment(request: HttpRequest) -> bool:
    """True where htmx asks for the fragment, False where somebody opened its address."""
    return request.headers.get("HX-Request") == "true"
