"""Reports against sums taken from the events themselves, in Python."""

from __future__ import annotations

import collections
import datetime
import itertools
import uuid
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from fractions import Fraction

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from gateway.metering import reports
from gateway.metering.event import UsageEvent
from gateway.metering.reports import Bucket, Row, Width
from gateway.metering.rollups import COSTS, DIMENSIONS
from gateway.token_usage import TokenUsage
from tests.metering.ledger import ACME, UMBRELLA, Ledger, attempt_at, usage_event

MIDNIGHT = datetime.datetime.now(datetime.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
DAY = datetime.timedelta(days=1)
HOUR = datetime.timedelta(hours=1)
MINUTE = datetime.timedelta(minutes=1)
LENGTHS = {Width.MINUTE: MINUTE, Width.HOUR: HOUR, Width.DAY: DAY}

# A dollar for each thousand tokens: costs that are easy to add in the head, for any class.
FLAT = dict.fromkeys(("input", "output", "cache_read", "cache_write_5m", "cache_write_1h"), 1000)
# Odd last places, which a float would lose.
CROOKED = {
    "input": "3.0000000001",
    "output": "0.0000000007",
    "cache_read": "0.1",
    "batch_factor": "0.3333333333",
    "web_search": "10.0000000001",
    "long_context_threshold": 200_000,
    **{f"long_context_{name}": f"{n}.000000000{n}" for n, name in enumerate(FLAT, 1)},
}

moments = st.one_of(
    st.integers(-2 * 86_400_000, 86_400_000 - 1),
    st.sampled_from([-86_400_000, -86_400_001, -1, 0, 3_599_999, 3_600_000, 59_999, 60_000]),
).map(lambda milliseconds: MIDNIGHT + datetime.timedelta(milliseconds=milliseconds))
counts = st.one_of(st.integers(0, 300), st.sampled_from([100_000, 199_999, 200_000, 200_001]))
usages = st.builds(TokenUsage, counts, counts, counts, counts, counts)


@st.composite
def events(draw: st.DrawFn) -> UsageEvent:
    """Few values for each dimension, so that they meet; the price is put in later."""
    return usage_event(
        attempt_id=attempt_at(draw(moments)),
        organization_id=draw(st.sampled_from([ACME, UMBRELLA])),
        workspace_id=draw(st.sampled_from(["w1", "w2"])),
        api_key_id=draw(st.sampled_from(["k1", "k2"])),
        model=draw(st.sampled_from(["m1", "m2"])),
        provider=draw(st.sampled_from(["p1", "p2"])),
        service_tier=draw(st.sampled_from(["standard", "batch"])),
        inference_geo=draw(st.sampled_from(["", "us"])),
        status=draw(st.sampled_from([200, 399, 400, 529])),
        usage=draw(usages),
        latency_ms=draw(st.integers(0, 10**6)),
        time_to_first_token_ms=draw(st.none() | st.integers(0, 1000)),
        web_search_requests=draw(st.integers(0, 3)),
        price_version=draw(st.sampled_from([None, 0, 1])),
    )


spans = st.tuples(moments, moments).map(sorted)
groupings = st.lists(st.sampled_from(list(DIMENSIONS)), unique=True)


# Without shrinking, which takes minutes here: an example of a dozen events can be read as it is.
@settings(
    max_examples=30,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(events(), max_size=12), spans, groupings)
def test_rollups_and_reports_are_the_sums_of_the_events(
    ledger: Ledger, sent: list[UsageEvent], span: Sequence[datetime.datetime], group_by: list[str]
) -> None:
    ledger.empty()
    versions = [ledger.price(**FLAT), ledger.price(**CROOKED)]
    sent = [priced(one, versions) for one in sent]
    ledger.send(sent)
    ledger.drain_all()

    assert ledger.drift() == []
    cost_of = costs(ledger)
    start, end = span
    for width in Width:
        got = reports.usage(ACME, start=start, end=end, width=width, group_by=group_by)
        assert got == buckets(sent, cost_of, start, end, width, group_by)
    whole = summed({}, [one for one in sent if inside(one, start, end, MINUTE)], cost_of)
    assert reports.totals(ACME, start=start, end=end) == whole
    assert reports.has_usage(ACME) == any(one.organization_id == ACME for one in sent)


rate = st.decimals(min_value=0, max_value=1000, places=10).map(str)
prices = st.fixed_dictionaries(
    dict.fromkeys((*FLAT, "web_search"), rate),
    optional={"batch_factor": st.sampled_from(["0", "0.5", "0.3333333333"])},
)
long_prices = st.fixed_dictionaries(
    {"long_context_threshold": st.integers(0, 400_000)} | {f"long_context_{name}": rate for name in FLAT}
)
HALF_AND_PLAIN = st.sampled_from(["standard", "batch"])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(prices, st.just({}) | long_prices, usages, HALF_AND_PLAIN, st.integers(0, 1000))
def test_streamed_and_json_twins_cost_the_same_at_any_price(
    ledger: Ledger,
    rates: dict[str, str],
    long_context: dict[str, str | int],
    usage: TokenUsage,
    tier: str,
    searches: int,
) -> None:
    ledger.empty()
    price = ledger.price(**rates, **long_context)
    same = {"usage": usage, "price_version": price, "service_tier": tier, "web_search_requests": searches}
    ledger.record(*(usage_event(stream=stream, **same) for stream in (True, False)))

    columns = ", ".join((*COSTS, "cost"))
    rows = ledger.connection.execute(f"SELECT {columns} FROM usage_event ORDER BY stream".encode()).fetchall()

    assert len(rows) == 2 and rows[0] == rows[1]
    *parts, whole = rows[0]
    assert sum(map(Fraction, parts)) == Fraction(whole)


def test_what_had_no_price_is_counted_unless_it_used_nothing(ledger: Ledger) -> None:
    price = ledger.price()
    ledger.record(
        usage_event(price_version=None, usage=TokenUsage(output_tokens=1)),
        usage_event(price_version=None, usage=TokenUsage(), web_search_requests=1),
        usage_event(price_version=None, usage=TokenUsage(), status=529),
        usage_event(price_version=price),
    )

    assert reports.totals(ACME, start=MIDNIGHT - DAY, end=MIDNIGHT + DAY).unpriced_requests == 2


def test_streamed_and_json_twins_are_the_same_in_reports(ledger: Ledger) -> None:
    price = ledger.price(**CROOKED)
    usage = TokenUsage(7, 11, 13, 17, 19)
    ledger.send(
        [
            usage_event(stream=stream, api_key_id=f"stream-{stream}", usage=usage, price_version=price)
            for stream in (True, False)
        ]
    )
    ledger.drain_all()

    (bucket,) = reports.usage(
        ACME, start=MIDNIGHT, end=MIDNIGHT + DAY, width=Width.DAY, group_by=["api_key_id"]
    )

    expected = Decimal("0.000172850000014")
    assert [row.cost for row in bucket.rows] == [expected, expected]


def test_the_context_window_is_told_by_all_input_tokens_together(ledger: Ledger) -> None:
    sizes = [
        TokenUsage(200_000, 0, 0, 0, 10**6),
        TokenUsage(1, 0, 0, 200_000, 0),
        TokenUsage(0, 100_000, 100_001),
    ]
    ledger.send([usage_event(MIDNIGHT, usage=usage) for usage in sizes])
    ledger.drain_all()

    (bucket,) = reports.usage(
        ACME, start=MIDNIGHT, end=MIDNIGHT + DAY, width=Width.DAY, group_by=["context_window"]
    )

    assert [(row.dimensions["context_window"], row.requests) for row in bucket.rows] == [
        ("0-200k", 1),
        ("200k-1M", 2),
    ]


def test_buckets_are_aligned_outward_and_empty_ones_are_there(ledger: Ledger) -> None:
    at = MIDNIGHT + 10 * HOUR
    ledger.send([usage_event(at + HOUR + 30 * MINUTE), usage_event(at + 3 * HOUR)])
    ledger.drain_all()

    got = reports.usage(ACME, start=at + MINUTE, end=at + 2 * HOUR + MINUTE, width=Width.HOUR)

    assert [(bucket.start, bucket.end, sum(row.requests for row in bucket.rows)) for bucket in got] == [
        (at, at + HOUR, 0),
        (at + HOUR, at + 2 * HOUR, 1),
        (at + 2 * HOUR, at + 3 * HOUR, 0),
    ]
    assert got[0].rows == []


def test_times_of_other_zones_mean_the_same_moments(ledger: Ledger) -> None:
    zone = datetime.timezone(datetime.timedelta(hours=5, minutes=30))
    ledger.send([usage_event(MIDNIGHT)])
    ledger.drain_all()

    (bucket,) = reports.usage(
        ACME, start=MIDNIGHT.astimezone(zone), end=(MIDNIGHT + HOUR).astimezone(zone), width=Width.DAY
    )

    assert (bucket.start, bucket.start.tzinfo, bucket.rows[0].requests) == (MIDNIGHT, datetime.UTC, 1)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (MIDNIGHT - 2 * DAY, MIDNIGHT + DAY),
        (MIDNIGHT - DAY - HOUR - MINUTE, MIDNIGHT + 3 * HOUR + 7 * MINUTE),
        (MIDNIGHT - MINUTE, MIDNIGHT + MINUTE),
        (MIDNIGHT + MINUTE, MIDNIGHT + 2 * MINUTE),
        (MIDNIGHT + DAY, MIDNIGHT),
    ],
)
def test_totals_take_each_minute_once_from_whatever_rollup(
    ledger: Ledger, start: datetime.datetime, end: datetime.datetime
) -> None:
    times = [MIDNIGHT + n * datetime.timedelta(minutes=17) for n in range(-170, 80)]
    ledger.send([usage_event(at) for at in times])
    ledger.drain_all()

    assert reports.totals(ACME, start=start, end=end).requests == sum(start <= at < end for at in times)


def test_one_statement_each(ledger: Ledger, django_assert_num_queries: Callable[[int], object]) -> None:
    span = {"start": MIDNIGHT - HOUR - MINUTE, "end": MIDNIGHT + DAY + MINUTE}

    for read in (
        lambda: reports.usage(ACME, **span, width=Width.DAY, group_by=["model", "provider"]),
        lambda: reports.totals(ACME, **span),
        lambda: reports.has_usage(ACME),
    ):
        with django_assert_num_queries(1):  # type: ignore[attr-defined]
            read()


def test_an_unknown_dimension_is_refused() -> None:
    with pytest.raises(ValueError, match="'request_id' is no dimension of usage"):
        reports.usage(ACME, start=MIDNIGHT, end=MIDNIGHT, width=Width.DAY, group_by=["model", "request_id"])


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        reports.totals(ACME, start=datetime.datetime(2026, 1, 1), end=MIDNIGHT)


def priced(one: UsageEvent, versions: list[int]) -> UsageEvent:
    if one.price_version is None:
        return one
    fields = {name: getattr(one, name) for name in UsageEvent.__struct_fields__}
    return UsageEvent(**{**fields, "price_version": versions[one.price_version]})


def costs(ledger: Ledger) -> dict[uuid.UUID, Decimal]:
    """What the ledger charged for each attempt (test_prices tells whether that is right)."""
    return dict(ledger.connection.execute("SELECT attempt_id, cost FROM usage_event").fetchall())


def began(one: UsageEvent) -> datetime.datetime:
    return datetime.datetime.fromtimestamp((one.attempt_id.int >> 80) / 1000, datetime.UTC)


def floor(at: datetime.datetime, length: datetime.timedelta) -> datetime.datetime:
    return MIDNIGHT + (at - MIDNIGHT) // length * length


def ceiling(at: datetime.datetime, length: datetime.timedelta) -> datetime.datetime:
    return MIDNIGHT - (MIDNIGHT - at) // length * length


def inside(
    one: UsageEvent, start: datetime.datetime, end: datetime.datetime, length: datetime.timedelta
) -> bool:
    return one.organization_id == ACME and floor(start, length) <= began(one) < ceiling(end, length)


def buckets(
    sent: Iterable[UsageEvent],
    cost_of: dict[uuid.UUID, Decimal],
    start: datetime.datetime,
    end: datetime.datetime,
    width: Width,
    group_by: Sequence[str],
) -> list[Bucket]:
    length = LENGTHS[width]
    first, last = floor(start, length), ceiling(end, length)
    found = [one for one in sent if inside(one, start, end, length)]
    at = itertools.takewhile(lambda at: at < last, (first + n * length for n in itertools.count()))
    by_bucket: dict[datetime.datetime, list[UsageEvent]] = collections.defaultdict(list)
    for one in found:
        by_bucket[floor(began(one), length)].append(one)
    return [Bucket(start, start + length, rows(by_bucket[start], cost_of, group_by)) for start in at]


def rows(
    found: Iterable[UsageEvent], cost_of: dict[uuid.UUID, Decimal], group_by: Sequence[str]
) -> list[Row]:
    groups: dict[tuple[str, ...], list[UsageEvent]] = collections.defaultdict(list)
    for one in found:
        groups[tuple(dimension(one, name) for name in group_by)].append(one)
    return [
        summed(dict(zip(group_by, key, strict=True)), group, cost_of) for key, group in sorted(groups.items())
    ]


def dimension(one: UsageEvent, name: str) -> str:
    if name != "context_window":
        return str(getattr(one, name))
    usage = one.usage
    size = sum(
        (
            usage.input_tokens,
            usage.cache_read_tokens,
            usage.cache_write_5m_tokens,
            usage.cache_write_1h_tokens,
        )
    )
    return "0-200k" if size <= 200_000 else "200k-1M"


def used(one: UsageEvent) -> bool:
    return any(msgspec.structs.astuple(one.usage)) or one.web_search_requests > 0


def summed(dimensions: dict[str, str], group: list[UsageEvent], cost_of: dict[uuid.UUID, Decimal]) -> Row:
    first = [one.time_to_first_token_ms for one in group if one.time_to_first_token_ms is not None]
    return Row(
        dimensions=dimensions,
        requests=len(group),
        errors=sum(one.status >= 400 for one in group),
        input_tokens=sum(one.usage.input_tokens for one in group),
        cache_read_tokens=sum(one.usage.cache_read_tokens for one in group),
        cache_write_5m_tokens=sum(one.usage.cache_write_5m_tokens for one in group),
        cache_write_1h_tokens=sum(one.usage.cache_write_1h_tokens for one in group),
        output_tokens=sum(one.usage.output_tokens for one in group),
        web_search_requests=sum(one.web_search_requests for one in group),
        cost=sum((cost_of[one.attempt_id] for one in group), start=Decimal(0)),
        latency_ms=sum(one.latency_ms for one in group),
        time_to_first_token_ms=sum(first),
        first_tokens=len(first),
        unpriced_requests=sum(one.price_version is None and used(one) for one in group),
    )
