"""Paths to come back to, as browsers hand them in: followed only within this site."""

from __future__ import annotations

from django.utils.http import url_has_allowed_host_and_scheme


def is_local(path: str) -> bool:
    """True for a path of this site; other sites, other schemes and `//host` are not."""
    return path.startswith("/") and url_has_allowed_host_and_scheme(path, allowed_hosts=None)


def local_or_home(path: str) -> str:
    return path if is_local(path) else "/"
