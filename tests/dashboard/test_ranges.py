from __future__ import annotations

import datetime

import pytest

from dashboard.ranges import range_of

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
