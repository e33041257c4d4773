"""The cast as fixtures; imported inside, since pytest may load this file before the settings can be read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from pytest_django.plugin import DjangoDbBlocker

if TYPE_CHECKING:
    from tests.people import Cast


@pytest.fixture
def people(db: None) -> Cast:
    from tests.people import cast

    return cast()


@pytest.fixture
def committed_people(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Cast]:
    """The cast for tests whose threads see each other's commits."""
    from tests.committed import committed
    from tests.people import cast

    with committed(django_db_blocker):
        yield cast()
