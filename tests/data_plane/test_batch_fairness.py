"""One organization's batch, one item or one provider that refuses holds up nobody else's."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from tests.data_plane.batch_house import BATCHES, Nursery, all_ended, make, marks, others, told
from tests.data_plane.house import SCRIPTED, THINKING, House, Tenant, body
from tests.upstream import Received, Script, error, reply


@pytest.fixture(scope="module")
def worker(house: House, nursery: Nursery) -> Iterator[None]:
    with nursery.worker():
        yield


@pytest.fixture
def working(house: House, worker: None) -> Iterator[None]:
    """A runner that knows nothing of earlier tests."""
    yield
    deadline = time.monotonic() + 10
    while house.database.execute("SELECT id FROM message_batch_runner").fetchall():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_what_always_fails_is_tried_three_times_and_holds_up_nobody(house: House, working: None) -> None:
    fails = house.upstream.script(reply(500, error("api_error", "No")))
    poison = make(house, house.tenant(), told(fails, "fails", 100))
    healthy = others(house, 20)
    all_ended(healthy, 15)
    poison.wait_until_ended(15)
    assert poison.types() == {"errored": 100}
    assert poison.results()[0]["result"]["error"]["error"]["type"] == "api_error"
    assert set(marks(house.upstream.received(fails)).values()) == {3}


def test_items_that_are_no_messages_are_errors_of_their_own(house: House, working: None) -> None:
    broken: list[dict[str, Any]] = [
        {"model": SCRIPTED},
        {**body(), "max_tokens": "many"},
        {**body(), "messages": "Hello"},
        {**body(), "stream": True},
        {**body(), "model": "claude-unknown"},
        {**body(), "model": "m" * 10_000},
        {**body(), "model": None},
    ]
    kept = [one for one in broken if _is_taken(house, one)]
    batch = make(house, house.tenant(), [*kept, body()])
    batch.wait_until_ended(15)
    assert len(kept) >= 5
    assert batch.types() == {"errored": len(kept), "succeeded": 1}


def _is_taken(house: House, params: dict[str, Any]) -> bool:
    """Some are refused when the batch is made."""
    items = {"requests": [{"custom_id": "one", "params": params}]}
    return house.post(items, path=BATCHES, key=house.tenant().key).status == 200


def test_a_provider_that_is_asked_for_too_much_is_asked_less_and_no_item_fails(
    house: House, working: None
) -> None:
    until = time.monotonic() + 1_000

    def answer(received: Received) -> Script | None:
        return None if time.monotonic() > until else reply(429, error("rate_limit_error", "Slow down"))

    limited = house.upstream.answered_by(answer)
    batch = make(house, house.tenant(), told(limited, "limited", 150, THINKING))
    house.upstream.received(limited, count=1, timeout=10)
    until = time.monotonic() + 2
    time.sleep(2)
    asked = len(house.upstream.received(limited))
    batch.wait_until_ended(40)
    assert 50 <= asked <= 50 + 4  # those of before the first refusal, and now and then one that tries again
    assert batch.types() == {"succeeded": 150}


def test_a_limited_model_does_not_hold_up_another_of_the_same_organization(
    house: House, working: None
) -> None:
    limited = house.upstream.script(reply(529, error("overloaded_error", "Busy")))
    tenant = house.tenant()
    stuck = make(house, tenant, told(limited, "stuck", 300, THINKING))
    behind = make(house, tenant, told(limited, "behind", 300, THINKING) + [body()] * 20)
    other = make(house, tenant, [body()] * 100)
    other.wait_until_ended(15)
    behind.wait(lambda batch: batch.progress["succeeded"] == 20, 25)
    assert stuck.progress["errored"] == behind.progress["errored"] == 0
    stuck.cancel()
    behind.cancel()


@pytest.mark.parametrize("retry_after", [None, "3600"])
def test_one_item_that_is_always_too_much_does_not_stop_others_of_its_model(
    house: House, working: None, retry_after: str | None
) -> None:
    headers = [("retry-after", retry_after)] if retry_after else []
    refused = house.upstream.script(reply(429, error("rate_limit_error", "Too long"), *headers))
    poison = make(house, house.tenant(), told(refused, "too-long", 1, THINKING))
    healthy = others(house, 40, THINKING)
    all_ended(healthy, 60)
    poison.cancel()
    assert len(house.upstream.received(refused)) <= 4
    assert poison.progress["errored"] == 0


def test_a_large_batch_and_small_ones_take_turns(house: House, working: None) -> None:
    large = make(house, house.tenant(), [body()] * 3_000)
    large.wait(lambda batch: batch.done > 0, 10)
    all_ended(others(house, 20), 15)
    assert large.status == "in_progress"
    large.cancel()


def test_a_workspace_at_its_limit_does_not_hold_up_the_rest_of_its_organization(
    house: House, working: None
) -> None:
    tenant = house.tenant()
    narrow = house.office.wish("workspace", organization=tenant.name, name="Narrow")["id"]
    key = house.office.wish("api_key", organization=tenant.name, workspace=narrow)
    _limit_batches(house, narrow, {"requests_per_minute": 1})
    limited = make(house, Tenant(tenant.name, tenant.id, narrow, key["id"], key["secret"]), [body()] * 50)
    free = make(house, tenant, [body()] * 100)
    free.wait_until_ended(15)
    assert 0 < limited.done < 10
    limited.cancel()


def _limit_batches(house: House, workspace: str, limits: dict[str, int]) -> None:
    query = "UPDATE gateway_workspace SET group_limits = %s WHERE id = %s"
    house.database.execute(query, [Jsonb({"batch": limits}), workspace])
    house.settle_in()
