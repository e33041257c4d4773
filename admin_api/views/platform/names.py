"""Names in paths that something new may get."""

from __future__ import annotations

from admin_api.catalog_checks import NAME, is_name
from gateway.errors import InvalidRequest


def new_name(name: str, longest: int) -> str:
    """The name. Raises `InvalidRequest` for one that nothing could have."""
    if not is_name(name, longest):
        raise InvalidRequest(f"name: expected {NAME.format(longest)}")
    return name
