"""Operators at the platform API of a running web process; imported inside as in the folder above."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import httpx

    from tests.admin_api.door import Door
    from tests.people import Cast


@pytest.fixture
def operator(door: Door, committed_people: Cast) -> Iterator[httpx.Client]:
    """Below `/platform/v1`, with an operator key."""
    from tests.admin_api.platform.operator import operator_at

    with operator_at(door) as client:
        yield client
