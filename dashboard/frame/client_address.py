"""The address that a page's request comes from."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest

from gateway import client_address as address

UNKNOWN = "0.0.0.0"  # a request over a unix socket has no peer


def client_address(request: HttpRequest) -> str:
    """The peer, or what a trusted proxy says of it."""
    peer = request.META.get("REMOTE_ADDR") or UNKNOWN
    trusted = tuple(settings.CONFIGURATION.trusted_proxies)
    return address.client_address(peer, request.headers.get("X-Forwarded-For", ""), trusted)
