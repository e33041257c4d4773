from __future__ import annotations

import datetime
import itertools
import zoneinfo

import pytest

from dashboard.reports.ranges import range_of, window

NOW = datetime.datetime(2026, 3, 1, 17, 42, 9, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("key", "start", "end"),
    [
        ("1h", "2026-03-01T16:43", "2026-03-01T17:43"),
        ("24h", "2026-02-28T18:00", "2026-03-01T18:00"),
        ("7d", "2026-02-23T00:00", "2026-03-02T00:00"),
        ("30d", "2026-01-31T00:00", "2026-03-02T00:00"),
    ],
)
@pytest.mark.parametrize("zone", [0, -8, 5.5])
def test_a_range_is_whole_buckets_of_utc_up_to_now(key: str, start: str, end: str, zone: float) -> None:
    here = NOW.astimezone(datetime.timezone(datetime.timedelta(hours=zone)))
    assert [f"{at:%Y-%m-%dT%H:%M}" for at in range_of(key).span(here)] == [start, end]


def test_at_the_stroke_of_the_hour_the_new_hour_counts() -> None:
    midnight = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)
    assert range_of("24h").span(midnight)[1] == midnight + datetime.timedelta(hours=1)


LOS_ANGELES, KOLKATA, BERLIN, CAIRO = map(
    zoneinfo.ZoneInfo, ("America/Los_Angeles", "Asia/Kolkata", "Europe/Berlin", "Africa/Cairo")
)
WEST = datetime.timezone(datetime.timedelta(hours=-8))
Zone = datetime.tzinfo


def text(*moments: datetime.datetime) -> list[str]:
    return [f"{at:%m-%dT%H:%M}" for at in moments]


@pytest.mark.parametrize(
    ("key", "zone", "start", "end", "bars"),
    [
        ("1h", KOLKATA, "03-01T16:43", "03-01T17:43", 60),
        ("24h", datetime.UTC, "02-28T18:00", "03-01T18:00", 24),
        ("24h", KOLKATA, "02-28T18:30", "03-01T18:30", 24),
        ("7d", WEST, "02-23T08:00", "03-02T08:00", 7),
        ("30d", KOLKATA, "01-30T18:30", "03-01T18:30", 30),
        ("month", WEST, "03-01T08:00", "03-02T08:00", 24),
        ("month", datetime.UTC, "03-01T00:00", "03-02T00:00", 24),
        ("last_month", KOLKATA, "01-31T18:30", "02-28T18:30", 28),
        ("nonsense", datetime.UTC, "02-28T18:00", "03-01T18:00", 24),
    ],
)
def test_days_are_those_of_the_reader(key: str, zone: Zone, start: str, end: str, bars: int) -> None:
    chosen = window({"range": key}, zone, NOW)
    assert text(chosen.start, chosen.end) == [start, end]
    assert len(chosen.edges) - 1 == bars


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        (LOS_ANGELES, "2026-03-08", 23),
        (LOS_ANGELES, "2026-11-01", 25),
        (BERLIN, "2026-03-29", 23),
        (BERLIN, "2026-10-25", 25),
        (CAIRO, "2026-04-24", 23),  # whose clock jumps over midnight
        (KOLKATA, "2026-03-29", 24),
    ],
)
def test_a_day_of_summer_time_has_the_hours_that_it_has(zone: Zone, day: str, hours: int) -> None:
    after = datetime.date.fromisoformat(day) + datetime.timedelta(days=1)
    chosen = window({"start": day, "end": after.isoformat()}, zone, NOW)
    lengths = {end - start for start, end in itertools.pairwise(chosen.edges)}
    assert lengths == {datetime.timedelta(hours=1)}
    assert len(chosen.edges) - 1 == hours
    assert chosen.start.astimezone(zone).date().isoformat() == day
    assert chosen.end.astimezone(zone).date() == after


def test_days_on_both_sides_of_summer_time_begin_at_midnight() -> None:
    chosen = window({"start": "2026-03-27", "end": "2026-04-01"}, BERLIN, NOW)
    assert text(*chosen.edges) == [
        "03-26T23:00",
        "03-27T23:00",
        "03-28T23:00",
        "03-29T22:00",
        "03-30T22:00",
        "03-31T22:00",
    ]


def test_a_moment_with_a_zone_is_that_moment_and_one_without_is_the_readers() -> None:
    chosen = window({"start": "2026-02-01T10:20:30", "end": "2026-02-01T12:00:00+00:00"}, BERLIN, NOW)
    assert text(chosen.start, chosen.end) == ["02-01T09:20", "02-01T12:00"]
    assert chosen.key == "custom"
    assert chosen.spoken == "Feb 1, 2026, 10:20 to Feb 1, 2026, 13:00"


def test_bars_at_the_ends_are_as_long_as_the_span() -> None:
    chosen = window({"start": "2026-02-01T10:20", "end": "2026-02-01T15:10"}, KOLKATA, NOW)
    assert text(*(at.astimezone(KOLKATA) for at in chosen.edges)) == [
        f"02-01T{clock}" for clock in ("10:20", "11:00", "12:00", "13:00", "14:00", "15:00", "15:10")
    ]


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ({"start": "yesterday"}, "Start: expected a time such as 2026-03-01T09:30."),
        ({"end": "9999-12-31T23:59+00:00"}, "End: expected a time from 2020 on."),
        ({"end": "0001-01-01T00:00"}, "End: expected a time such as 2026-03-01T09:30."),
        ({"start": "2026-02-02", "end": "2026-02-02"}, "The start has to be before the end."),
        ({"start": "2026-03-09"}, "The start has to be before the end."),
        ({"start": "2024-01-01", "end": "2026-01-01"}, "At most 400 days can be shown at once."),
    ],
)
def test_what_is_no_time_is_said_and_the_usual_time_shown(query: dict[str, str], problem: str) -> None:
    chosen = window(query, KOLKATA, NOW)
    assert chosen.problem == problem
    assert chosen.edges == window({}, KOLKATA, NOW).edges


@pytest.mark.parametrize(
    ("query", "zone", "widths"),
    [
        ({"range": "1h"}, datetime.UTC, "1m* 1h"),
        ({"range": "24h"}, datetime.UTC, "1h* 1d"),
        ({"range": "7d"}, datetime.UTC, "1h 1d*"),
        ({"range": "7d", "bucket": "1h"}, datetime.UTC, "1h* 1d"),
        ({"range": "7d", "bucket": "1h"}, KOLKATA, "1d*"),
        ({"range": "30d", "bucket": "1m"}, datetime.UTC, "1d*"),
        ({"start": "2026-02-01T10:00", "end": "2026-02-01T10:30"}, datetime.UTC, "1m*"),
    ],
)
def test_only_bars_that_can_be_told_apart_are_offered(query: dict[str, str], zone: Zone, widths: str) -> None:
    chosen = window(query, zone, NOW)
    assert " ".join(f"{one}{'*' if one is chosen.width else ''}" for one in chosen.widths) == widths


@pytest.mark.parametrize(
    ("query", "start", "end"),
    [
        ({"range": "24h"}, "02-27T18:00", "02-28T18:00"),
        ({"range": "month"}, "02-01T00:00", "02-02T00:00"),
        ({"range": "last_month"}, "01-01T00:00", "02-01T00:00"),
        ({"start": "2026-02-10", "end": "2026-02-12"}, "02-08T00:00", "02-10T00:00"),
    ],
)
def test_a_span_is_compared_with_the_one_before(query: dict[str, str], start: str, end: str) -> None:
    assert text(*window(query, datetime.UTC, NOW).previous) == [start, end]


def test_a_long_month_is_compared_with_no_more_than_the_whole_one_before() -> None:
    late = datetime.datetime(2026, 3, 31, 12, tzinfo=datetime.UTC)
    assert text(*window({"range": "month"}, datetime.UTC, late).previous) == ["02-01T00:00", "03-01T00:00"]


def test_only_what_goes_on_is_asked_again() -> None:
    past = window({"range": "last_month"}, datetime.UTC, NOW)
    today, month = (window({"range": key}, datetime.UTC, NOW) for key in ("24h", "30d"))
    assert [(one.goes_on, one.is_today) for one in (past, today, month)] == [
        (False, False),
        (True, True),
        (True, False),
    ]
