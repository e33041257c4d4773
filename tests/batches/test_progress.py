"""How far a batch is, from its row."""

from __future__ import annotations

import datetime

import pytest

from gateway.batches.progress import Counts, progress_of
from gateway.models import MessageBatch

MADE = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)
SECOND = datetime.timedelta(seconds=1)


def batch(**fields: object) -> MessageBatch:
    return MessageBatch(**{"total": 100, "created_at": MADE, "expires_at": MADE + 86_400 * SECOND} | fields)


def test_what_has_no_result_is_processing() -> None:
    it = progress_of(batch(succeeded=40, errored=3, canceled=2, expired=5), MADE + 10 * SECOND)

    assert it.counts == Counts(50, 40, 3, 2, 5)
    assert (it.done, it.total) == (50, 100)
    assert (it.per_second, it.seconds_left) == (5.0, 10)


def test_what_was_measured_of_late_stands_over_the_mean() -> None:
    it = progress_of(batch(succeeded=50), MADE + 10 * SECOND, per_second=0.2)

    assert (it.per_second, it.seconds_left) == (0.2, 250)


@pytest.mark.parametrize(
    ("row", "measured"),
    [(batch(), None), (batch(succeeded=50), 0.0), (batch(succeeded=100, status="ended"), None)],
    ids=["nothing done", "nothing moves", "all done"],
)
def test_where_nothing_moves_or_is_left_there_is_no_end_to_tell(
    row: MessageBatch, measured: float | None
) -> None:
    assert progress_of(row, MADE + 10 * SECOND, measured).seconds_left is None


def test_the_rate_of_what_has_ended_is_that_of_its_time() -> None:
    ended = batch(succeeded=100, status="ended", ended_at=MADE + 3 * SECOND)

    assert progress_of(ended, MADE + 900 * SECOND).per_second == 33.3


def test_a_batch_of_this_moment_has_no_rate() -> None:
    assert progress_of(batch(succeeded=1), MADE).per_second == 0
