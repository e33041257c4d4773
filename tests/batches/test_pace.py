"""How fast a model is asked."""

from __future__ import annotations

from gateway.batches.pace import LONGEST_PAUSE_SECONDS, Pace


def test_nothing_is_held_back_before_a_provider_complains() -> None:
    pace = Pace()
    pace.under_way = 10_000
    assert pace.has_room
    assert pace.wait(0.0) == 0.0


def test_a_complaint_halves_what_is_under_way_and_pauses_for_as_long_as_the_provider_says() -> None:
    pace = Pace()
    pace.under_way = 40
    pace.too_much(100.0, 7.0)
    assert pace.wait(101.0) == 6.0
    assert not pace.has_room
    pace.under_way = 19
    assert pace.has_room


def test_complaints_about_what_went_out_before_the_first_one_count_once() -> None:
    pace = Pace()
    pace.under_way = 40
    for _ in range(40):
        pace.too_much(100.0, 7.0)
    pace.under_way = 19
    assert pace.has_room


def test_pauses_double_without_a_word_from_the_provider_up_to_a_minute() -> None:
    pace, now, pauses = Pace(), 0.0, []
    for _ in range(9):
        pace.too_much(now, None)
        pauses.append(pace.wait(now))
        now += pauses[-1]
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    pace.too_much(now, 100_000.0)
    assert pace.wait(now) == LONGEST_PAUSE_SECONDS


def test_each_answer_lets_a_little_more_through_and_at_last_everything() -> None:
    pace = Pace()
    pace.under_way = 4
    pace.too_much(0.0, None)
    pace.succeeded()
    pace.succeeded()
    pace.succeeded()  # 2, 2.5, 2.9, 3.2
    pace.under_way = 3
    assert pace.has_room
    pace.under_way = 4
    assert not pace.has_room
    for _ in range(1_000_000):
        pace.succeeded()
    pace.under_way = 10_000
    assert pace.has_room


def test_at_least_one_request_is_let_through_at_a_time() -> None:
    pace = Pace()
    pace.under_way = 1
    for now in range(0, 1_000, 100):
        pace.too_much(float(now), None)
    assert not pace.has_room
    pace.under_way = 0
    assert pace.has_room
