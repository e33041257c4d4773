"""New batches while a store is away: refused without Postgres, taken without Valkey, and never half."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.data_plane import wire
from tests.data_plane.house import House
from tests.data_plane.island import Island
from tests.data_plane.stored_batches import batches_of
from tests.data_plane.test_new_batches import BATCHES, requests
from tests.data_plane.wire import Answer


def post(island: Island, key: str) -> Answer:
    raw = island.house.message({"requests": requests()}, path=BATCHES, key=key)
    return asyncio.run(wire.ask(island.gateway.port, raw))


@pytest.mark.parametrize("how", ["refuse", "silent"])
def test_without_valkey_and_its_broker_batches_are_taken(island: Island, house: House, how: str) -> None:
    tenant = house.tenant()
    assert post(island, tenant.key).status == 200

    island.valkey.behave(refuse=how == "refuse", silent=how == "silent")
    started = time.monotonic()
    answers = [post(island, tenant.key) for _ in range(3)]

    assert [answer.status for answer in answers] == [200] * 3
    assert time.monotonic() - started < 3
    assert len(batches_of(house, tenant.id)) == 4


@pytest.mark.parametrize("how", ["refuse", "silent"])
def test_without_postgres_a_known_key_is_told_to_come_back(island: Island, house: House, how: str) -> None:
    tenant = house.tenant()
    assert post(island, tenant.key).status == 200

    island.postgres.behave(refuse=how == "refuse", silent=how == "silent")
    answer = post(island, tenant.key)

    assert (answer.status, answer.json["error"]["type"]) == (503, "api_error")
    assert (
        answer.json["error"]["message"]
        in (
            "Message batches are not available at the moment. Please try again.",
            "The API key cannot be checked at the moment. Please try again.",  # where Valkey's return made it doubted
        )
    )
    assert len(batches_of(house, tenant.id)) == 1
