"""The address a request comes from. `X-Forwarded-For` counts only where a trusted proxy wrote it."""

from __future__ import annotations

import ipaddress
from functools import cache

from django.conf import settings
from django.http import HttpRequest

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

UNKNOWN = "0.0.0.0"  # a request over a unix socket has no peer


def client_address(request: HttpRequest) -> str:
    """The nearest hop that is not one of our proxies, read from the right: everything left of it may be invented."""
    hop = request.META.get("REMOTE_ADDR") or UNKNOWN
    networks = _networks(tuple(settings.CONFIGURATION.trusted_proxies))
    for further in reversed(request.headers.get("X-Forwarded-For", "").split(",")):
        if not _is_trusted(hop, networks) or not _is_address(further.strip()):
            break
        hop = further.strip()
    return hop


@cache
def _networks(given: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(one, strict=False) for one in given)


def _is_trusted(hop: str, networks: tuple[Network, ...]) -> bool:
    return _is_address(hop) and any(ipaddress.ip_address(hop) in network for network in networks)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
