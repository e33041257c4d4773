"""Checks the networks that a key may be used from."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from gateway.errors import InvalidRequest

MOST = 100
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def check_networks(given: Sequence[str]) -> list[str]:
    """The networks as they are stored, in CIDR form and each once; an address alone is a network of one.

    Raises `InvalidRequest` for what is neither, and for a network whose address has bits beyond its prefix. Zones
    (`fe80::1%eth0`) are refused: they mean something only on the machine that has them.
    """
    if len(given) > MOST:
        raise InvalidRequest(f"allowed_ips: expected at most {MOST} networks")
    return list(dict.fromkeys(str(_network(text, place)) for place, text in enumerate(given)))


def _network(text: str, place: int) -> Network:
    try:
        return _as_ipv4(_read(text, strict=True))
    except ValueError:
        raise InvalidRequest(f"allowed_ips.{place}: {text[:60]!r} {_wrong(text)}") from None


def _read(text: str, *, strict: bool) -> Network:
    """Raises `ValueError`; where it is strict, also for a network with host bits."""
    if "%" in text:
        raise ValueError("a zone")
    return ipaddress.ip_network(text.strip(), strict=strict)


def _wrong(text: str) -> str:
    try:
        return f"has host bits set; the network is {_read(text, strict=False)}"
    except ValueError:
        return "is neither an address nor a network such as 10.0.0.0/8"


def _as_ipv4(network: Network) -> Network:
    """`::ffff:10.0.0.0/104` as the network that it stands for: callers' addresses are compared in that form."""
    if isinstance(network, ipaddress.IPv6Network) and network.prefixlen >= 96:
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            return ipaddress.IPv4Network((mapped, network.prefixlen - 96))
    return network
