"""An attempt that comes again with better figures takes its own place, in the ledger and in every sum."""

from __future__ import annotations

import datetime
import itertools
import random
import threading
from collections.abc import Iterable

import msgspec
import psycopg
import pytest

from gateway.metering import store
from gateway.metering.event import TokenUsage, UsageEvent
from gateway.metering.prices import PriceBook
from gateway.metering.rows import LedgerRow, row_from_event
from gateway.models import UsageDay, UsageSession
from gateway.models import UsageEvent as UsageEventModel
from tests.metering.ledger import Ledger, usage_event

CLAUDE_CODE = "claude-cli/2.1.332 (external, cli)"
SOURCES = ("unknown", "estimated", "reported")
FIGURES = {
    "unknown": TokenUsage(9000, 0, 0, 0, 64_000),
    "estimated": TokenUsage(1000, 10, 0, 0, 300),
    "reported": TokenUsage(990, 20, 30, 40, 321),
}


def told(attempt: UsageEvent, usage_source: str, **changes: object) -> UsageEvent:
    """The attempt with the figures that this source gives it."""
    return msgspec.structs.replace(attempt, usage_source=usage_source, usage=FIGURES[usage_source], **changes)


@pytest.mark.parametrize(("first", "second"), list(itertools.product(SOURCES, SOURCES)))
def test_reported_goes_before_estimated_and_that_before_unknown(
    ledger: Ledger, first: str, second: str
) -> None:
    attempt = usage_event(price_version=ledger.price(), user_agent=CLAUDE_CODE, session_id="s1")
    best = max(first, second, key=SOURCES.index)

    ledger.record(told(attempt, first))
    ledger.record(told(attempt, second))

    assert held(ledger) == [(best, *msgspec.structs.astuple(FIGURES[best]))]
    assert ledger.drift() == []


def test_only_new_attempts_are_told_as_new(ledger: Ledger) -> None:
    known, new = usage_event(), usage_event()
    store.record(ledger.connection, rows([told(known, "unknown")]))

    count = store.record(ledger.connection, rows([told(known, "reported"), told(new, "unknown")]))

    assert count == 1
    assert ledger.attempts() == {known.attempt_id, new.attempt_id}
    assert ledger.drift() == []


def test_of_equals_the_first_stays(ledger: Ledger) -> None:
    attempt = usage_event(stop_reason="end_turn")

    ledger.record(attempt)
    ledger.record(msgspec.structs.replace(attempt, stop_reason="other"))

    assert UsageEventModel.objects.get().stop_reason == "end_turn"


@pytest.mark.parametrize("order", list(itertools.permutations(SOURCES)))
def test_the_best_of_one_batch_wins_in_any_order(ledger: Ledger, order: tuple[str, ...]) -> None:
    attempt = usage_event()

    count = store.record(ledger.connection, rows(told(attempt, source) for source in order))

    assert count == 1
    assert held(ledger) == [("reported", *msgspec.structs.astuple(FIGURES["reported"]))]
    assert ledger.drift() == []


def test_a_sum_that_lost_its_only_row_is_gone(ledger: Ledger) -> None:
    """The better row may belong elsewhere: another tier, another session."""
    attempt = usage_event(user_agent=CLAUDE_CODE, session_id="")
    ledger.record(told(attempt, "unknown"))

    ledger.record(told(attempt, "reported", service_tier="batch", session_id="s1"))

    assert list(UsageDay.objects.values_list("service_tier", "requests")) == [("batch", 1)]
    assert list(UsageSession.objects.values_list("session_id", "requests")) == [("s1", 1)]
    assert ledger.drift() == []


def test_a_sum_keeps_the_rows_that_were_not_replaced(ledger: Ledger) -> None:
    noon = datetime.datetime.now(datetime.UTC)
    others = [usage_event(noon, user_agent=CLAUDE_CODE) for _ in range(3)]
    attempt = usage_event(noon, user_agent=CLAUDE_CODE)
    ledger.record(*others, told(attempt, "unknown"))

    ledger.record(told(attempt, "reported", user_agent="curl/8", status=529))

    assert UsageDay.objects.values_list("requests", "errors", "input_tokens").get() == (4, 1, 300 + 990)
    assert UsageSession.objects.values_list("requests", "input_tokens").get() == (3, 300)
    assert ledger.drift() == []


def test_the_drain_lets_a_late_report_correct_what_a_dead_process_left(ledger: Ledger) -> None:
    attempt = usage_event()
    for source in ("unknown", "reported", "unknown"):
        ledger.send([told(attempt, source)])
        ledger.drain_all()

    assert held(ledger) == [("reported", *msgspec.structs.astuple(FIGURES["reported"]))]
    assert ledger.drift() == []


@pytest.mark.parametrize("seed", range(3))
def test_drains_with_the_same_rows_neither_block_each_other_nor_count_twice(
    ledger: Ledger, seed: int
) -> None:
    """Eight at once with the same attempts from all sources, each in its own order and its own batches."""
    chance = random.Random(seed)
    attempts = [
        usage_event(user_agent=CLAUDE_CODE, session_id=f"s{n % 3}", api_key_id=f"k{n % 5}") for n in range(60)
    ]
    everything = rows(told(one, source, stop_reason=source) for one in attempts for source in SOURCES)
    shares = [chance.sample(everything, len(everything)) for _ in range(8)]
    news: list[int] = []
    problems: list[Exception] = []
    barrier = threading.Barrier(len(shares))

    def drain(share: list[LedgerRow]) -> None:
        try:
            with psycopg.connect(ledger.database_url, autocommit=True) as connection:
                barrier.wait()
                news.extend(store.record(connection, share[n : n + 30]) for n in range(0, len(share), 30))
        except psycopg.Error as problem:
            problems.append(problem)

    threads = [threading.Thread(target=drain, args=[share]) for share in shares]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert problems == []
    assert sum(news) == len(attempts) == ledger.count()
    assert held(ledger) == [("reported", *msgspec.structs.astuple(FIGURES["reported"]))] * 60
    assert ledger.drift() == []


def rows(events: Iterable[UsageEvent]) -> list[LedgerRow]:
    now = datetime.datetime.now(datetime.UTC)
    return [row_from_event(one, PriceBook(), now) for one in events]


def held(ledger: Ledger) -> list[tuple[object, ...]]:
    """Source and figures of each attempt."""
    return ledger.connection.execute(
        "SELECT usage_source, input_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens,"
        " output_tokens FROM usage_event"
    ).fetchall()
