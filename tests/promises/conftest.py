"""One gateway for all tests of promises, with stores of its own that may be searched and broken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.supervisor.postgres import Postgres
from tests.data_plane.house import Gateway
from tests.outages.site import Site, open_site


@pytest.fixture(scope="package")
def site(postgres_server: Postgres, scratch_folders: Callable[[str], Path]) -> Iterator[Site]:
    with open_site(postgres_server, scratch_folders, "promises") as site:
        yield site


@pytest.fixture(scope="package")
def faulty(site: Site) -> Iterator[Gateway]:
    """A further web process of that site, broken wherever the file `faulty/fault` says."""
    gateway = site.gateway("faulty", module="tests.promises.faulty_server")
    try:
        gateway.wait_until_ready()
        yield gateway
    finally:
        gateway.close()
