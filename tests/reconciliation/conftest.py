"""A web process of our own, whose Admin API is a provider's too."""

from __future__ import annotations

from tests.admin_api.conftest import committed_people, door

__all__ = ["committed_people", "door"]
