"""One gateway for all tests of outages; each test gives it back with everything running."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.supervisor.postgres import Postgres
from tests.outages.site import Site, open_site


@pytest.fixture(scope="package")
def site(postgres_server: Postgres, scratch_folders: Callable[[str], Path]) -> Iterator[Site]:
    with open_site(postgres_server, scratch_folders, "outages") as site:
        yield site
