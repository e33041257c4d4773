"""One gateway with stores and a provider of its own, for all tests of the data plane."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from gateway.supervisor.postgres import Postgres
from gateway.supervisor.valkey import wheel_binary
from tests.data_plane.batch_house import Nursery
from tests.data_plane.house import BackOffice, Gateway, House, environment_of
from tests.migrated import new_database
from tests.upstream import Upstream

DATABASE = "data_plane"  # tests elsewhere empty theirs


@pytest.fixture(scope="package")
def house(postgres_server: Postgres) -> Iterator[House]:
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gw-house-", dir="/tmp")))
        valkey = stack.enter_context(_valkey(folder))
        environment = environment_of(
            new_database(postgres_server, DATABASE), f"unix://{folder}/valkey.sock", folder
        )
        upstream = stack.enter_context(Upstream())
        office = BackOffice(environment, folder / "office.log")
        stack.callback(office.close)
        gateway = Gateway(environment, folder / "gateway.log")
        stack.callback(gateway.close)
        house = House(gateway, upstream, office, valkey, environment)
        stack.callback(house.close)
        house.furnish()
        gateway.wait_until_ready()
        yield house
        assert _broken_streams(gateway.log) == []


def _broken_streams(log: Path) -> list[bytes]:
    """What the gateway's own check of all streams found among those that it wrote itself."""
    found = [line for line in log.read_bytes().splitlines() if b"stream_breaks_grammar" in line]
    return [line for line in found if b'"provider": "scripted"' not in line]  # relayed as it came, on purpose


@pytest.fixture
def guarded(house: House, tmp_path: Path) -> Iterator[Gateway]:
    """A further web process on the same stores."""
    gateway = Gateway(house.environment, tmp_path / "gateway.log")
    try:
        gateway.wait_until_ready()
        yield gateway
    finally:
        gateway.close()


@pytest.fixture(scope="package")
def nursery(house: House, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    made = Nursery(house, tmp_path_factory.mktemp("nursery"))
    yield made
    made.close()


@pytest.fixture
def upstream(house: House) -> Upstream:
    return house.upstream


@contextlib.contextmanager
def _valkey(folder: Path) -> Iterator[redis.Redis]:
    """A Valkey of this run's own; tests elsewhere flush theirs."""
    address = folder / "valkey.sock"
    options = ["--port", "0", "--unixsocket", str(address), "--save", "", "--appendonly", "no"]
    process = subprocess.Popen([str(wheel_binary()), *options], cwd=folder, stdout=subprocess.DEVNULL)
    client = redis.Redis(unix_socket_path=str(address))
    try:
        _wait_for(client)
        yield client
    finally:
        client.close()
        process.terminate()
        process.wait(5)


def _wait_for(client: redis.Redis) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            client.ping()
            return
        except redis.ConnectionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
