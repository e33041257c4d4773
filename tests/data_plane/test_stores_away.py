"""A web process whose Valkey or PostgreSQL is gone or silent, and then comes back."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import pytest

from gateway.credentials import new_secret
from tests import upstream as provider
from tests.data_plane.house import House, body
from tests.data_plane.island import CHEAP, Island
from tests.data_plane.wire import Wire
from tests.outages.site import until

QUICK = 0.2  # seconds: what an answer may take while Valkey is away


@pytest.mark.parametrize("how", ["refuse", "silent"])
def test_without_valkey_answers_stay_quick_and_usage_waits_on_disk_until_it_is_back(
    island: Island, house: House, how: str
) -> None:
    tenant = house.tenant()
    assert island.post(tenant.key).status == 200

    island.valkey.behave(refuse=how == "refuse", silent=how == "silent")
    answers = [island.post(tenant.key) for _ in range(20)]
    away = {answer.header("request-id") for answer in answers}
    before = [event for event in house.events() if event.request_id in away]
    island.valkey.behave()

    assert [answer.status for answer in answers] == [200] * 20
    assert max(answer.took for answer in answers) < QUICK + 0.05, sorted(
        round(one.took, 3) for one in answers
    )
    assert sorted(answer.took for answer in answers)[10] < 0.1
    for answer in answers:
        assert house.usage(answer.header("request-id"), within=12).usage_source == "reported"
    assert before == []


def test_without_valkey_a_limit_of_this_process_holds(island: Island, house: House) -> None:
    tenant = house.tenant(limits={"requests_per_minute": 20})
    assert island.post(tenant.key).status == 200

    island.valkey.behave(refuse=True)
    statuses = Counter(island.post(tenant.key).status for _ in range(40))
    island.valkey.behave()

    assert set(statuses) == {200, 429}
    assert 1 <= statuses[200] <= 22


def test_without_valkey_the_process_lives_and_after_it_the_limits_are_shared_again(
    island: Island, house: House
) -> None:
    tenant = house.tenant(limits={"requests_per_minute": 3})
    island.valkey.behave(refuse=True)
    assert island.get("/healthz").status == 200
    island.post()
    island.valkey.behave()
    until(island.is_well, 10, "Valkey is back and not used")

    statuses = [island.post(tenant.key).status for _ in range(2)] + [
        house.post(CHEAP, key=tenant.key).status for _ in range(3)
    ]

    assert statuses == [200, 200, 200, 429, 429]


@pytest.mark.parametrize("how", ["refuse", "silent"])
def test_without_postgres_known_keys_work_and_unknown_ones_are_not_called_wrong(
    island: Island, house: House, how: str
) -> None:
    known, other = house.tenant(), house.tenant()
    assert island.post(known.key).status == 200

    island.postgres.behave(refuse=how == "refuse", silent=how == "silent")
    answers = [island.post(known.key) for _ in range(20)]
    not_seen_yet, invented = island.post_all(
        [(other.key, "127.0.0.1"), (new_secret("api"), house.stranger())]
    )
    island.postgres.behave()

    assert {answer.status for answer in answers} == {200}
    assert max(answer.took for answer in answers) < 0.3
    for answer in (not_seen_yet, invented):
        assert (answer.status, answer.json["error"]["type"]) == (503, "api_error")
        assert answer.json["request_id"] == answer.header("request-id")
    assert island.post_until(200, other.key) < 10
    for answer in answers:
        assert house.usage(answer.header("request-id")).usage_source == "reported"


def test_with_both_stores_away_a_known_key_still_works(island: Island, house: House) -> None:
    known = house.tenant()
    assert island.post(known.key).status == 200

    island.postgres.behave(refuse=True)
    island.valkey.behave(refuse=True)
    answers = [island.post(known.key) for _ in range(5)]
    island.postgres.behave()
    island.valkey.behave()

    assert [answer.status for answer in answers] == [200] * 5


def test_replies_are_never_swapped_when_others_are_cancelled(island: Island, house: House) -> None:
    """Slow stores, many requests, every third of them given up: each answer must be the one asked for."""
    island.valkey.behave(latency=0.01)
    chance = random.Random(7)
    wrong: list[tuple[str, bytes]] = []

    async def one(number: int) -> None:
        name = house.upstream.script(
            provider.streamed(provider.frames(provider.events([f"nonce {number}."])), delay=0.002)
        )
        connection = await Wire.connect(island.gateway.port)
        raw = house.message(body(script=name, stream=True))
        if number % 3 == 0:
            await connection.send(raw)
            await asyncio.sleep(chance.random() * 0.08)
            connection.reset()
            return
        answer = await connection.ask(raw)
        if f"nonce {number}.".encode() not in answer.body:
            wrong.append((f"nonce {number}.", answer.body))
        connection.leave()

    async def all_of_them() -> None:
        slots = asyncio.Semaphore(40)

        async def slot(number: int) -> None:
            async with slots:
                await one(number)

        await asyncio.gather(*(slot(number) for number in range(400)))

    asyncio.run(all_of_them())

    assert wrong == []
