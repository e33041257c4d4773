"""Batches that end before all is sent: cancelled, expired, or given up since workers die of them."""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.data_plane.batch_house import Made, batch_worker, make, marks
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
    house: House, tmp_path: Path, end: Callable[[Made], None], type_: str
) -> None:
    batch, script = slow_batch(house, 1_000)
    with batch_worker(house, tmp_path / "log"):
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
    assert batch.types() == {"succeeded": len(kept), type_: 1_000 - len(kept)}
    assert len({one["custom_id"] for one in results}) == 1_000
    assert len(_billed(house, batch)) == len(kept)


def _billed(house: House, batch: Made) -> set[uuid.UUID]:
    """Attempts, each of which the ledger has once; what a dead worker settled may be told again by its heir."""
    events = [event for event in house.events() if str(event.organization_id) == batch.tenant.id]
    return {event.attempt_id for event in events}


def test_a_batch_that_nobody_began_is_cancelled_without_asking_anyone(house: House, tmp_path: Path) -> None:
    batch, script = slow_batch(house, 50)
    batch.cancel()
    with batch_worker(house, tmp_path / "log"):
        assert batch.wait_until_ended(10) < 10
    assert batch.types() == {"canceled": 50}
    assert house.upstream.received(script) == []


def test_what_waits_for_a_limited_provider_is_cancelled_at_once(house: House, tmp_path: Path) -> None:
    limited = house.upstream.script(reply(429, error("rate_limit_error", "No"), ("retry-after", "60")))
    batch = make(house, house.tenant(), [body(THINKING, limited)] * 300)
    with batch_worker(house, tmp_path / "log"):
        house.upstream.received(limited, count=1, timeout=10)
        time.sleep(1)
        batch.cancel()
        assert batch.wait_until_ended(10) < 5
    assert batch.types() == {"canceled": 300}


def test_what_failed_for_now_is_not_tried_again_once_its_batch_is_cancelled(
    house: House, tmp_path: Path
) -> None:
    hangs = house.upstream.script(Hang())  # its provider's timeouts are short
    batch = make(house, house.tenant(), [body(HASTY, hangs)] * 20)
    with batch_worker(house, tmp_path / "log"):
        house.upstream.received(hangs, count=20, timeout=10)
        batch.cancel()
        batch.wait_until_ended(10)
    assert batch.types() == {"canceled": 20}
    assert len(house.upstream.received(hangs)) == 20


def test_an_item_that_three_workers_died_of_is_given_up(house: House, tmp_path: Path) -> None:
    deadly = house.upstream.script(Hang())
    batch = make(house, house.tenant(), [body(SCRIPTED, deadly)])
    for number in range(1, 4):
        with batch_worker(house, tmp_path / "log"):  # killed at the end
            house.upstream.received(deadly, count=number, timeout=15)
    with batch_worker(house, tmp_path / "log"):
        batch.wait_until_ended(15)
    (result,) = batch.results()
    assert "three attempts" in result["result"]["error"]["error"]["message"]
    assert len(house.upstream.received(deadly)) == 3


def test_what_workers_die_of_takes_nobody_elses_items_with_it(house: House, tmp_path: Path) -> None:
    """As long as it is not known which item it was, fewer and fewer are under way beside it."""
    workers: list[int] = []

    def answer(received: Received) -> Script:
        os.kill(workers[-1], signal.SIGKILL)
        return [Hang()]

    deadly = house.upstream.answered_by(answer)
    slow = house.upstream.script([Pause(0.2), *reply(200, message())])
    tenant = house.tenant()
    params = [body(SCRIPTED, f"{slow} item own-{n}") for n in range(80)]
    poisoned = make(house, tenant, [*params[:50], body(SCRIPTED, f"{deadly} item deadly"), *params[50:]])
    healthy = [make(house, house.tenant(), [body(SCRIPTED, slow)] * 50)]
    while poisoned.status != "ended":
        with batch_worker(house, tmp_path / "log") as worker:
            workers.append(worker.pid)
            while worker.poll() is None and poisoned.status != "ended":
                time.sleep(0.1)
        assert len(workers) < 6
    with batch_worker(house, tmp_path / "log"):
        for batch in healthy:
            batch.wait_until_ended(15)
    assert len(house.upstream.received(deadly)) == 3
    assert poisoned.types() == {"succeeded": 80, "errored": 1}
    assert [batch.types() for batch in healthy] == [{"succeeded": 50}]
    assert max(marks(house.upstream.received(slow)).values()) <= 3
