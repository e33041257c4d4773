"""Batches that end before all is sent: cancelled, expired, or given up since workers die of them."""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections.abc import Callable

import pytest

from tests.data_plane.batch_house import Made, Nursery, make, marks
from tests.data_plane.house import HASTY, SCRIPTED, THINKING, House, body
from tests.upstream import Hang, Pause, Received, Script, error, message, reply

ANSWER_SECONDS = 0.5
SLOW = [Pause(ANSWER_SECONDS), *reply(200, message())]


def slow_batch(house: House, number: int) -> tuple[Made, str]:
    """A batch of marked items that take half a second each, and the name of its script."""
    script = house.upstream.script(SLOW)
    params = [body(SCRIPTED, f"{script} item slow-{n}") for n in range(number)]
    return make(house, house.tenant(), params), script


@pytest.mark.parametrize(("end", "type_"), [(Made.cancel, "canceled"), (Made.expire, "expired")])
def test_what_was_sent_is_kept_and_the_rest_is_neither_sent_nor_billed(
    house: House, nursery: Nursery, end: Callable[[Made], None], type_: str
) -> None:
    batch, script = slow_batch(house, 500)
    with nursery.worker():
        batch.wait(lambda one: one.done >= 100, 15)
        end(batch)
        ended_at = time.monotonic()
        batch.wait_until_ended(15)
    sent = house.upstream.received(script)
    last = max(one.at for one in sent)
    assert last < ended_at + 5
    assert time.monotonic() < max(last + ANSWER_SECONDS, ended_at) + 5
    results = batch.results()
    kept = [one["custom_id"] for one in results if one["result"]["type"] == "succeeded"]
    assert len(kept) == len(sent) >= 100
    assert {f"slow-{one.removeprefix('item-')}" for one in kept} == set(marks(sent))
    assert batch.types() == {"succeeded": len(kept), type_: 500 - len(kept)}
    assert len({one["custom_id"] for one in results}) == 500
    assert len(_billed(house, batch)) == len(kept)


def _billed(house: House, batch: Made) -> set[uuid.UUID]:
    """Attempts, each of which the ledger has once; what a dead worker settled may be told again by its heir."""
    events = [event for event in house.events() if str(event.organization_id) == batch.tenant.id]
    return {event.attempt_id for event in events}


def test_a_batch_that_nobody_began_is_cancelled_without_asking_anyone(house: House, nursery: Nursery) -> None:
    batch, script = slow_batch(house, 50)
    batch.cancel()
    with nursery.worker():
        assert batch.wait_until_ended(10) < 10
    assert batch.types() == {"canceled": 50}
    assert house.upstream.received(script) == []


def test_what_waits_for_a_limited_provider_is_cancelled_at_once(house: House, nursery: Nursery) -> None:
    limited = house.upstream.script(reply(429, error("rate_limit_error", "No"), ("retry-after", "60")))
    batch = make(house, house.tenant(), [body(THINKING, limited)] * 300)
    with nursery.worker():
        house.upstream.received(limited, count=1, timeout=10)
        time.sleep(1)
        batch.cancel()
        assert batch.wait_until_ended(10) < 5
    assert batch.types() == {"canceled": 300}


def test_what_failed_for_now_is_not_tried_again_once_its_batch_is_cancelled(
    house: House, nursery: Nursery
) -> None:
    hangs = house.upstream.script(Hang())  # its provider's timeouts are short
    batch = make(house, house.tenant(), [body(HASTY, hangs)] * 20)
    with nursery.worker():
        house.upstream.received(hangs, count=20, timeout=10)
        batch.cancel()
        batch.wait_until_ended(10)
    assert batch.types() == {"canceled": 20}
    assert len(house.upstream.received(hangs)) == 20


def test_an_item_that_three_workers_died_of_is_given_up(house: House, nursery: Nursery) -> None:
    deadly = house.upstream.script(Hang())
    batch = make(house, house.tenant(), [body(SCRIPTED, deadly)])
    for number in range(1, 4):
        with nursery.worker():  # killed at the end
            house.upstream.received(deadly, count=number, timeout=15)
    with nursery.worker():
        batch.wait_until_ended(15)
    (result,) = batch.results()
    assert "three attempts" in result["result"]["error"]["error"]["message"]
    assert len(house.upstream.received(deadly)) == 3


def test_what_workers_die_of_takes_nobody_elses_items_with_it(house: House, nursery: Nursery) -> None:
    """As long as it is not known which item it was, fewer and fewer are under way beside it.

    Places under the limit that dead ones had are free again only after some seconds: there are enough here.
    """
    workers: list[int] = []

    def answer(received: Received) -> Script:
        os.kill(workers[-1], signal.SIGKILL)
        return [Hang()]

    deadly = house.upstream.answered_by(answer)
    slow = house.upstream.script([Pause(0.2), *reply(200, message())])
    tenant = house.tenant()
    params = [body(SCRIPTED, f"{slow} item own-{n}") for n in range(20)]
    poisoned = make(house, tenant, [*params[:10], body(SCRIPTED, f"{deadly} item deadly"), *params[10:]])
    healthy = make(house, house.tenant(), [body(SCRIPTED, slow)] * 20)
    while not poisoned.status == healthy.status == "ended":
        with nursery.worker() as worker:
            workers.append(worker.pid)
            while worker.lives and not poisoned.status == healthy.status == "ended":
                time.sleep(0.1)
        assert len(workers) < 6
    assert len(house.upstream.received(deadly)) == 3
    assert poisoned.types() == {"succeeded": 20, "errored": 1}
    assert healthy.types() == {"succeeded": 20}
    assert max(marks(house.upstream.received(slow)).values()) <= 3
