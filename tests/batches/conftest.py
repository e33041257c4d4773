"""The cast, for tests of what happens to rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.people import Cast


@pytest.fixture
def people(db: None) -> Cast:
    from tests.people import cast

    return cast()
