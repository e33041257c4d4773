"""A key that is revoked stops in every process, also while Valkey cannot tell them (promise A7)."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.data_plane.house import Gateway, Tenant
from tests.outages.load import Asked, Load
from tests.outages.site import Site, until

TOLD, UNTOLD = 2.0, 30.0  # seconds: with Valkey, without


@pytest.fixture(scope="module")
def replicas(site: Site) -> Iterator[list[Gateway]]:
    """Three web processes on the same stores."""
    more = [site.gateway(f"replica-{n}") for n in (2, 3)]
    try:
        for gateway in more:
            gateway.wait_until_ready()
        yield [site.house.gateway, *more]
    finally:
        for gateway in more:
            gateway.close()


@pytest.mark.slow
@pytest.mark.parametrize("valkey", ["there", "frozen"])
def test_a_revoked_key_stops_in_every_process(site: Site, replicas: list[Gateway], valkey: str) -> None:
    tenant = site.house.tenant()
    loads = [Load(site, tenant, port=gateway.port) for gateway in replicas]
    with contextlib.ExitStack() as running:
        for load in loads:
            running.enter_context(load)
        until(lambda: all(_statuses(load).count(200) > 5 for load in loads), 15, "no process answers")
        with _valkey(site, valkey):
            if valkey == "frozen":
                time.sleep(6)  # until the processes know that they hear nothing
            revoked = _revoke(site, tenant, replicas[0])
            limit = TOLD if valkey == "there" else UNTOLD
            until(lambda: all(_refused(load) for load in loads), limit + 5, "a process goes on")

    last = max(asked.at for load in loads for asked in load.asked if _status(asked) == 200)
    print(f"\nValkey {valkey}: the last request was let in {last - revoked:.2f} s after the revocation")
    assert last - revoked <= limit
    assert {status for load in loads for status in _statuses(load)} <= {200, 401}


def _revoke(site: Site, tenant: Tenant, gateway: Gateway) -> float:
    """Over the Admin API of one process, as its organization's Admin key; when that was asked for."""
    admin = site.house.office.wish("api_key", organization=tenant.name, kind="admin")["secret"]
    path = f"http://127.0.0.1:{gateway.port}/v1/organizations/api_keys/{tenant.key_id}"
    asked = time.monotonic()
    answer = httpx.post(path, json={"status": "archived"}, headers={"x-api-key": admin}, timeout=30)
    assert (answer.status_code, answer.json()["status"]) == (200, "archived")
    return asked


@contextlib.contextmanager
def _valkey(site: Site, state: str) -> Iterator[None]:
    if state == "frozen":
        site.valkey.freeze()
    try:
        yield
    finally:
        site.valkey.thaw()


def _status(asked: Asked) -> int:
    return asked.answer.status if asked.answer is not None else 0


def _statuses(load: Load) -> list[int]:
    return [asked.answer.status for asked in list(load.asked) if asked.answer is not None]


def _refused(load: Load) -> bool:
    """The last ten answers are refusals."""
    return _statuses(load)[-10:] == [401] * 10
