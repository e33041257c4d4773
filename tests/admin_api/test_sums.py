"""For any edges, grouping and filter, the sums of pages are those over the ledger's own rows."""

from __future__ import annotations

import datetime
import itertools
from collections import defaultdict
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from admin_api.queries import sums
from admin_api.queries.price_versions import price_versions
from admin_api.queries.sums import Question
from gateway.metering.rollups import COSTS
from gateway.models import Price
from tests.admin_api.report import DAY, HOUR, MINUTE, TODAY, Office, office
from tests.admin_api.test_reports_equal_the_ledger import CROOKED, event, events, key_ids, ledger_rows
from tests.metering.ledger import Ledger
from tests.people import Cast

COUNTED = [*sums.TOKENS, "web_search_requests", "cost", *COSTS, "latency_ms"]
ROLLED = ["api_key_id", "workspace_id", "model", "service_tier", "context_window", "account_id"]

# Edges as zones make them: midnight of half an hour past, hours that are not whole, single minutes.
moments = st.integers(-24 * 60, 24 * 60).map(lambda minutes: TODAY + minutes * MINUTE)
edges = st.lists(moments, min_size=2, max_size=6, unique=True).map(sorted)
wanted = st.fixed_dictionaries(
    {},
    optional={
        "model": st.just(["gpt-ours"]),
        "service_tier": st.just(["batch", "standard"]),
        "account_id": st.just("dev"),
    },
)


@pytest.fixture
def our(people: Cast, ledger: Ledger) -> Office:
    return office(people, ledger)


@settings(
    max_examples=30,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    st.lists(events(), max_size=10), edges, st.lists(st.sampled_from(ROLLED), unique=True, max_size=3), wanted
)
def test_sums_are_those_of_the_ledger(
    our: Office, used: list[dict[str, Any]], edges: list[Any], by: list[str], wanted: dict[str, Any]
) -> None:
    recorded(our, used)
    wanted = {name: [our.account] if values == "dev" else values for name, values in wanted.items()}
    asked = Question(our.acme, edges, tuple(by), wanted)
    assert found(sums.sums(asked)) == expected(our, asked)
    assert list(sums.stream(asked)) == sums.sums(asked)
    assert sums.added(sums.sums(asked)) == sums.total(asked)


@settings(
    max_examples=10,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(events(), max_size=10), st.integers(0, 23))
def test_events_are_summed_as_rollups_are(our: Office, used: list[dict[str, Any]], hour: int) -> None:
    recorded(our, used)
    span = [TODAY - hour * HOUR, TODAY - hour * HOUR + 90 * MINUTE, TODAY - hour * HOUR + DAY]
    rolled = sums.sums(Question(our.acme, span))
    alone = sums.sums(Question(our.acme, span, ("client",)))
    assert [(one.slot, measured(one)) for one in alone] == [(one.slot, measured(one)) for one in rolled]
    assert {one.group for one in alone} <= {("",)}


def recorded(our: Office, used: list[dict[str, Any]]) -> None:
    our.ledger.empty()
    prices = [our.ledger.price(), our.ledger.price(**CROOKED)]
    our.ledger.record(*(event(our, one, prices) for one in used))


def found(rows: list[sums.Sum]) -> dict[Any, list[Any]]:
    return {(one.slot, one.group): measured(one) for one in rows}


def measured(one: sums.Sum) -> list[Any]:
    return [one.requests, *(getattr(one, name) for name in COUNTED)]


def expected(our: Office, asked: Question) -> dict[Any, list[Any]]:
    rows: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for slot, (start, end) in enumerate(itertools.pairwise(asked.edges)):
        for row in ledger_rows(our):
            row["workspace_id"] = row["workspace"]
            if start <= row["at"] < end and all(row[name] in values for name, values in asked.wanted.items()):
                rows[slot, tuple(row[name] or "" for name in asked.by)].append(row)
    return {
        place: [len(some), *(sum(row[name] for row in some) for name in COUNTED)]
        for place, some in rows.items()
    }


def test_what_is_not_among_the_asked_ones_is_one_group(our: Office) -> None:
    for key, count in zip(key_ids(our), (1, 2, 3), strict=True):
        our.ledger.record(*(our.event(api_key_id=key) for _ in range(count)))
    asked = Question(our.acme, [TODAY - 7 * DAY, TODAY], ("api_key_id",))
    first, second = sums.largest(asked, "requests", 2)
    assert [first.group, second.group] == [(our.of_nobody.id,), (our.of_robot.id,)]
    parts = {one.group: one.requests for one in sums.sums(asked, among=[our.of_nobody.id])}
    assert parts == {(our.of_nobody.id,): 3, (None,): 3}


def test_only_the_keys_that_may_be_seen_count(our: Office) -> None:
    for key in key_ids(our):
        our.use(api_key_id=key)
    week = [TODAY - 7 * DAY, TODAY]
    assert sums.total(Question(our.acme, week, keys=[our.of_dev.id])).requests == 1
    assert sums.total(Question(our.acme, week, keys=[])).requests == 0
    assert sums.total(Question(our.umbrella, week)).requests == 0


def test_clients_and_sessions_are_told_apart_by_the_ledger(our: Office) -> None:
    our.use(TODAY, user_agent="claude-cli/2.0", session_id="s1")
    our.use(TODAY, user_agent="claude-cli/2.0", session_id="s2")
    our.use(TODAY, user_agent="Anthropic/Python")
    asked = Question(our.acme, [TODAY, TODAY + DAY], ("client",))
    assert [(one.group[0], one.requests) for one in sums.sums(asked)] == [
        ("Anthropic/Python", 1),
        ("claude-cli/2.0", 2),
    ]
    chosen = Question(our.acme, [TODAY, TODAY + DAY], ("session_id",), {"client": ["claude-cli/2.0"]})
    assert [one.group[0] for one in sums.sums(chosen)] == ["s1", "s2"]


def test_events_are_never_asked_for_more_than_a_day(our: Office) -> None:
    with pytest.raises(ValueError, match="at most"):
        sums.sums(Question(our.acme, [TODAY - 2 * DAY, TODAY], ("client",)))


def test_a_month_by_days_reads_days_alone(our: Office, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1) as asked:
        sums.sums(Question(our.acme, [TODAY - n * DAY for n in range(30, -1, -1)], ("model",)))
    statement = asked.captured_queries[0]["sql"]
    assert "usage_day" in statement and "usage_hour" not in statement and "usage_minute" not in statement


def test_price_versions_are_those_that_held(db: None) -> None:
    at = [TODAY - days * DAY for days in (9, 6, 6, 3, 0)]
    rates = dict.fromkeys(("input", "output", "cache_read", "cache_write_5m", "cache_write_1h"), Decimal(1))
    ids = [Price.objects.create(model_name="m", effective_at=one, **rates).id for one in at]

    def held(start: datetime.datetime, end: datetime.datetime) -> list[int]:
        return [price.id for price in price_versions(["m"], start, end).get("m", [])]

    assert held(TODAY - 20 * DAY, TODAY - 10 * DAY) == []
    assert held(TODAY - 20 * DAY, TODAY) == [ids[0], ids[2], ids[3]]
    assert held(TODAY - 6 * DAY, TODAY - 3 * DAY) == [ids[2]]
    assert held(TODAY - 4 * DAY, TODAY + DAY) == [ids[2], ids[3], ids[4]]
