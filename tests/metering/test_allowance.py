from __future__ import annotations

import pytest

from gateway.metering import allowance
from gateway.metering.allowance import Allowance


def test_many_are_let_through_at_once_and_few_after_that() -> None:
    ours = Allowance(burst=3, per_second=0.5)

    assert [ours.take("a", 0) for _ in range(4)] == [True, True, True, False]
    assert [ours.take("a", now) for now in (1, 2, 3, 4)] == [False, True, False, True]


def test_it_never_grows_beyond_the_burst_and_one_holder_takes_nothing_from_another() -> None:
    ours = Allowance(burst=2, per_second=1)
    ours.take("a", 0)

    assert [ours.take("a", 1_000) for _ in range(3)] == [True, True, False]
    assert ours.take("b", 1_000)


def test_holders_who_have_all_are_forgotten_and_others_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allowance, "MOST_HOLDERS", 3)
    ours = Allowance(burst=1, per_second=0.1)
    ours.take("spent", 9)
    for holder in range(20):
        ours.take(holder, holder)

    assert len(ours._left) <= 12  # whoever took in the last ten seconds, and two
    assert not ours.take(19, 20)
