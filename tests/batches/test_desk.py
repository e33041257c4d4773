"""What waits at a runner for one organization."""

from __future__ import annotations

import uuid

from gateway.batches.desk import Desk, Line
from gateway.batches.queue import Item

ONE, TWO = {"id": "msgbatch_1"}, {"id": "msgbatch_2"}


def items(*models: str, batch_id: str = "msgbatch_1") -> list[Item]:
    return [
        Item(batch_id, n, f"c{n}", b'{"model": "%s"}' % model.encode(), 1) for n, model in enumerate(models)
    ]


def filled(*models: str) -> Desk:
    desk = Desk(uuid.uuid4())
    desk.add(items(*models), ONE)
    return desk


def line(model: str, batch_id: str = "msgbatch_1") -> Line:
    return batch_id, model


def test_models_take_turns() -> None:
    desk = filled("opus", "opus", "haiku", "opus", "haiku")
    taken = []
    while desk.waiting:
        leased = desk.take(desk.lines(0.0)[0])
        taken.append((leased.model, leased.item.number))
    assert taken == [("opus", 0), ("haiku", 2), ("opus", 1), ("haiku", 4), ("opus", 3)]


def test_what_limits_had_no_room_for_is_the_next_of_its_line_when_there_is_some() -> None:
    desk = filled("opus", "opus")
    first = desk.take(line("opus"))
    desk.put_back(first, not_before=7.0)
    assert desk.lines(6.9) == []
    assert desk.take(desk.lines(7.0)[0]) is first


def test_other_batches_go_on_where_limits_have_no_room_for_one() -> None:
    desk = filled("opus")
    desk.add(items("opus", "haiku", batch_id="msgbatch_2"), TWO)
    desk.seat([ONE, TWO])
    desk.put_back(desk.take(line("opus")), not_before=7.0)
    assert desk.lines(1.0) == [line("opus", "msgbatch_2"), line("haiku", "msgbatch_2")]
    assert [desk.next_batch(1.0, lambda batch: True) for _ in range(2)] == [TWO, TWO]
    desk.seat([ONE])
    assert desk.next_batch(1.0, lambda batch: True) is None
    assert desk.next_batch(7.0, lambda batch: True) == ONE


def test_batches_take_turns_and_those_that_may_not_send_are_passed_over() -> None:
    desk = Desk(uuid.uuid4())
    desk.seat([ONE, TWO])
    assert [desk.next_batch(0.0, lambda batch: True) for _ in range(3)] == [ONE, TWO, ONE]
    assert [desk.next_batch(0.0, lambda batch: batch == TWO) for _ in range(2)] == [TWO, TWO]
    assert desk.next_batch(0.0, lambda batch: False) is None


def test_what_its_provider_refused_is_the_last_of_its_line() -> None:
    desk = filled("opus", "opus")
    first = desk.take(line("opus"))
    desk.put_behind(first)
    assert [desk.take(line("opus")).item.number for _ in range(2)] == [1, 0]


def test_all_that_wait_for_a_model_can_be_given_up() -> None:
    desk = filled("opus", "haiku", "opus")
    assert [leased.item.number for leased in desk.give_up(line("opus"))] == [0, 2]
    assert desk.lines(0.0) == [line("haiku")]
    assert desk.give_up(line("opus")) == []


def test_all_that_wait_of_a_batch_can_be_given_up() -> None:
    desk = filled("opus", "haiku")
    desk.add(items("opus", batch_id="msgbatch_2"), TWO)
    assert [leased.item.number for leased in desk.give_up_batch("msgbatch_1")] == [0, 1]
    assert desk.held_batches() == {"msgbatch_2"}
    assert desk.waiting == 1


def test_what_names_no_model_waits_in_a_line_of_its_own() -> None:
    desk = Desk(uuid.uuid4())
    deep = b'{"a": ' + b"[" * 100_000
    broken = [
        Item("msgbatch_1", n, "c", params, 1)
        for n, params in enumerate([b"{}", b'{"model": 3}', b"\xff", b"[", deep])
    ]
    desk.add(broken, ONE)
    assert desk.lines(0.0) == [line("")]
    assert desk.waiting == 5
