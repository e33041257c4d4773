"""How fast a model is asked."""

from __future__ import annotations

from gateway.batches.pace import LONGEST_PAUSE_SECONDS, Pace


def sent(pace: Pace, number: int) -> int:
    """So many requests under way; the round they went out in."""
    return [pace.sent() for _ in range(number)][-1]


def room(pace: Pace) -> int:
    """How many more requests may be under way, which they are then."""
    number = 0
    while pace.has_room and number < 2_000:
        pace.sent()
        number += 1
    return number


def test_nothing_is_held_back_before_a_provider_complains() -> None:
    pace = Pace()
    sent(pace, 10_000)
    assert pace.has_room
    assert pace.wait(0.0) == 0.0


def test_after_a_complaint_it_is_left_alone_for_as_long_as_it_says_and_then_asked_once() -> None:
    pace = Pace()
    pace.too_much(100.0, 7.0, sent(pace, 40))
    assert pace.wait(101.0) == 6.0
    assert room(pace) == 1


def test_once_that_was_answered_half_as_many_may_be_under_way() -> None:
    pace = Pace()
    pace.too_much(100.0, 7.0, sent(pace, 40))
    probe = pace.sent()
    pace.succeeded()
    pace.ended(probe)
    assert room(pace) == 21  # of 20.05


def test_complaints_about_what_went_out_before_the_first_one_count_once_however_late_they_come() -> None:
    pace = Pace()
    first = sent(pace, 40)
    for now in range(100, 140):
        pace.too_much(float(now), 7.0, first)
        pace.ended(first)
    assert pace.wait(107.0) == 0
    pace.succeeded()
    assert room(pace) == 21


def test_what_hangs_since_before_the_complaint_does_not_keep_others_from_asking_again() -> None:
    pace = Pace()
    pace.too_much(100.0, 7.0, sent(pace, 40))
    pace.ended(0)
    assert room(pace) == 1


def test_a_request_that_told_nothing_is_followed_by_another() -> None:
    pace = Pace()
    pace.too_much(100.0, 7.0, sent(pace, 40))
    pace.ended(pace.sent())
    assert room(pace) == 1


def test_pauses_double_without_a_word_from_the_provider_up_to_the_longest() -> None:
    pace, now, pauses = Pace(), 0.0, []
    for _ in range(8):
        pace.too_much(now, None, pace.sent())
        pauses.append(pace.wait(now))
        now += pauses[-1]
    assert pauses == [1, 2, 4, 8, 16, 20, 20, 20]
    pace.too_much(now, 100_000.0, pace.sent())
    assert pace.wait(now) == LONGEST_PAUSE_SECONDS


def test_each_answer_lets_a_little_more_through_and_at_last_everything() -> None:
    pace = Pace()
    pace.too_much(0.0, None, sent(pace, 4))
    for _ in range(3):  # 2, 2.5, 2.9, 3.2
        pace.succeeded()
    assert room(pace) == 4
    for _ in range(1_000_000):
        pace.succeeded()
    sent(pace, 10_000)
    assert pace.has_room


def test_at_least_one_request_is_let_through_at_a_time() -> None:
    pace = Pace()
    for now in range(0, 1_000, 100):
        pace.too_much(float(now), None, pace.sent())
    pace.succeeded()
    assert room(pace) >= 1
