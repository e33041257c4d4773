"""What waits at a runner for one organization."""

from __future__ import annotations

import uuid

from gateway.batches.desk import Desk
from gateway.batches.queue import Item


def items(*models: str, batch_id: str = "msgbatch_1") -> list[Item]:
    return [
        Item(batch_id, n, f"c{n}", b'{"model": "%s"}' % model.encode(), 1) for n, model in enumerate(models)
    ]


def filled(*models: str) -> Desk:
    desk = Desk(uuid.uuid4())
    desk.add(items(*models), {"id": "msgbatch_1"})
    return desk


def test_models_take_turns() -> None:
    desk = filled("opus", "opus", "haiku", "opus", "haiku")
    taken = []
    while desk.waiting:
        leased = desk.take(desk.models()[0])
        taken.append((leased.model, leased.item.number))
    assert taken == [("opus", 0), ("haiku", 2), ("opus", 1), ("haiku", 4), ("opus", 3)]


def test_what_is_put_back_is_the_next_of_its_model() -> None:
    desk = filled("opus", "opus")
    first = desk.take("opus")
    desk.put_back(first)
    assert desk.take("opus") is first


def test_all_that_wait_for_a_model_can_be_given_up() -> None:
    desk = filled("opus", "haiku", "opus")
    assert [leased.item.number for leased in desk.give_up("opus")] == [0, 2]
    assert desk.models() == ["haiku"]
    assert desk.give_up("opus") == []


def test_all_that_wait_of_a_batch_can_be_given_up() -> None:
    desk = filled("opus", "haiku")
    desk.add(items("opus", batch_id="msgbatch_2"), {"id": "msgbatch_2"})
    assert [leased.item.number for leased in desk.give_up_batch("msgbatch_1")] == [0, 1]
    assert desk.held_batches() == {"msgbatch_2"}
    assert desk.waiting == 1


def test_what_names_no_model_waits_in_a_line_of_its_own() -> None:
    desk = Desk(uuid.uuid4())
    broken = [
        Item("msgbatch_1", n, "c", params, 1)
        for n, params in enumerate([b"{}", b'{"model": 3}', b"\xff", b"["])
    ]
    desk.add(broken, {"id": "msgbatch_1"})
    assert desk.models() == [""]
    assert desk.waiting == 4
