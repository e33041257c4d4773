"""Addresses that organizations have us call: https, to the internet and to nowhere else.

Checked when one is saved, so that mistakes are told, and again at every connection, which goes to the very address
that was checked: what a name means may change in between.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TookTooLong
from urllib.parse import SplitResult, urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver = Callable[[str], Sequence[str]]  # from a host to its addresses; raises OSError

LONGEST = 2000
PATIENCE = 3.0  # seconds for a name server, while somebody waits for the answer
NOT_PUBLIC = "expected an address on the internet, not one of a private network"
_NAME = re.compile(
    r"(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]", re.I
)
# Of IPv6 only what is routed, without the ranges that hold addresses of IPv4 within.
_ROUTED = ipaddress.ip_network("2000::/3")
_TUNNELS = tuple(ipaddress.ip_network(text) for text in ("2001::/32", "2002::/16"))
_INTERNAL = ("localhost", "local", "internal", "localdomain", "lan", "home", "corp", "intranet", "home.arpa")


def webhook_address(text: str) -> str:
    """The address as it is stored. Raises ValueError saying what is expected. Asks no name server."""
    parts = _parts(text)
    if parts.scheme != "https":
        raise ValueError("expected an https:// address")
    if "@" in parts.netloc:
        raise ValueError("expected an address without a user name or password")
    if "#" in text:
        raise ValueError("expected an address without #")
    host = parts.hostname or ""
    literal = literal_address(host)
    if literal is not None and not is_public(literal):
        raise ValueError(NOT_PUBLIC)
    if literal is None and not _NAME.fullmatch(host):
        raise ValueError("expected an https:// address with the full name of a host")
    if any(host.lower() == name or host.lower().endswith("." + name) for name in _INTERNAL):
        raise ValueError(NOT_PUBLIC)
    return text


def checked_address(text: str, resolve: Resolver | None = None) -> str:
    """As `webhook_address`, and looked up: a name of something private is refused.

    One that no name server knows (yet) is taken, since it is looked up again before each connection.
    """
    address = webhook_address(text)
    try:
        public_addresses(urlsplit(address).hostname or "", resolve or _patiently)
    except PermissionError:
        raise ValueError(NOT_PUBLIC) from None
    except OSError:
        pass
    return address


def public_addresses(host: str, resolve: Resolver) -> list[str]:
    """All addresses of the host. Raises `PermissionError` where one of them is not public, `OSError` for none."""
    literal = literal_address(host)
    found = [str(literal)] if literal is not None else list(resolve(host))
    if not found:
        raise OSError("the host has no address")
    if not all(_is_public_text(one) for one in found):
        raise PermissionError(NOT_PUBLIC)
    return found


def resolve(host: str) -> list[str]:
    """As the system resolves names, each address once."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


def is_public(address: Address) -> bool:
    """Whether it belongs to somebody on the internet: nothing private, shared, local, mapped or many at once."""
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return True
    return address in _ROUTED and not any(address in network for network in _TUNNELS)


def literal_address(host: str) -> Address | None:
    """What stands for itself; other spellings of IPv4 (decimal, octal, short) are no addresses here, nor names."""
    try:
        return ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None


def _is_public_text(text: str) -> bool:
    found = literal_address(text)
    return found is not None and "%" not in text and is_public(found)


def _patiently(host: str) -> list[str]:
    """As `resolve`, for as long as somebody can be made to wait."""
    pool = ThreadPoolExecutor(1, thread_name_prefix="resolve")
    try:
        return pool.submit(resolve, host).result(PATIENCE)
    except TookTooLong:
        raise OSError("no answer from a name server") from None
    finally:
        pool.shutdown(wait=False)


def _parts(text: str) -> SplitResult:
    expected = ValueError("expected an https:// address")
    if not text.isascii() or not text.isprintable() or " " in text or "\\" in text or len(text) > LONGEST:
        raise expected
    try:
        parts = urlsplit(text)
        usable = bool(parts.hostname) and parts.port != 0 and "%" not in parts.netloc
    except ValueError:
        raise expected from None
    if not usable:
        raise expected
    return parts
