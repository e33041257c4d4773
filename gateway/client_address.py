"""The address a request comes from: the socket's, or what a trusted proxy says of it."""

from __future__ import annotations

import functools
import ipaddress


def client_address(peer: str, forwarded_for: str, trusted_proxies: tuple[str, ...]) -> str:
    """The rightmost address of the header `x-forwarded-for` that is not a trusted proxy, if the peer is one."""
    if not trusted_proxies or not _trusted(peer, trusted_proxies):
        return peer
    for hop in reversed(forwarded_for.split(",")):
        hop = hop.strip()
        if not _is_address(hop):
            return peer
        if not _trusted(hop, trusted_proxies):
            return hop
    return peer


@functools.lru_cache(maxsize=4096)
def _trusted(address: str, networks: tuple[str, ...]) -> bool:
    if not _is_address(address):
        return False
    ip = ipaddress.ip_address(address)
    return any(ip in ipaddress.ip_network(network, strict=False) for network in networks)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
