from __future__ import annotations

import glob
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import redis

from gateway.limits.limiter import SCRIPTS, Limiter
from gateway.supervisor.postgres import Postgres
from gateway.supervisor.valkey import Valkey as ValkeyServer
from gateway.valkey import Valkey
from tests.data_plane.house import Gateway
from tests.outages.site import Site, open_site

FAKETIME = "/usr/lib/*/faketime/libfaketimeMT.so.1"
SKEWS = ("-5s", "", "+5s")


@pytest.fixture
def own_database(valkey_server: ValkeyServer) -> str:
    """A database that no gateway beside these tests writes to."""
    return f"{valkey_server.url}?db=6"


@pytest.fixture
def valkey(own_database: str) -> Iterator[redis.Redis]:
    """An empty database, as a client."""
    with redis.Redis.from_url(own_database) as client:
        client.flushdb()
        yield client


@pytest.fixture
async def limiter(valkey: redis.Redis, own_database: str) -> AsyncIterator[Limiter]:
    """A limiter on an empty Valkey."""
    connection = Valkey(own_database, SCRIPTS)
    await connection.start()
    assert connection.available
    limiter = Limiter(connection)
    connection.on_up = limiter.valkey_is_up
    limiter.start()
    yield limiter
    limiter.stop()
    await connection.stop()


@pytest.fixture(scope="package")
def site(postgres_server: Postgres, scratch_folders: Callable[[str], Path]) -> Iterator[Site]:
    """One gateway for all tests of limits; each gives it back with everything running."""
    with open_site(postgres_server, scratch_folders, "limits") as site:
        yield site


@pytest.fixture(scope="package")
def fleet(site: Site) -> Iterator[list[Gateway]]:
    """Three more web processes, whose clocks are five seconds behind, right, and five seconds ahead."""
    library = next(iter(glob.glob(FAKETIME)), "")
    skewed = [{"LD_PRELOAD": library, "FAKETIME": skew} if library and skew else {} for skew in SKEWS]
    more = [
        site.gateway(f"replica{n}", FAKETIME_DONT_FAKE_MONOTONIC="1", **environment)
        for n, environment in enumerate(skewed)
    ]
    try:
        for one in more:
            one.wait_until_ready()
        yield more
    finally:
        for one in more:
            one.close()


@pytest.fixture
def skewed_fleet(fleet: list[Gateway]) -> list[Gateway]:
    if not glob.glob(FAKETIME):
        pytest.skip("clocks cannot be skewed: libfaketime is missing (apt-get install libfaketime)")
    return fleet
