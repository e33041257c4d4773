"""The spans of time a page may show; the choice lives in the URL (`?range=7d`)."""

from __future__ import annotations

import dataclasses
import datetime

from gateway.metering.reports import LENGTHS, Width

DAY = datetime.timedelta(days=1)


@dataclasses.dataclass(frozen=True)
class Range:
    """`count` bars, each of `merged` buckets of `width`; the axis names the start of every `label_every`-th bar in
    `label_format`."""

    key: str
    label: str
    spoken: str
    width: Width
    count: int
    label_every: int
    label_format: str
    bucket_format: str
    merged: int = 1
    whole_days: bool = False

    def span(self, now: datetime.datetime) -> tuple[datetime.datetime, datetime.datetime]:
        """Start (inclusive) and end (exclusive) in UTC; the bucket that `now` falls into is the last or among them."""
        step = DAY if self.whole_days else LENGTHS[self.width]
        at = now.astimezone(datetime.UTC)
        midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
        end = midnight + ((at - midnight) // step + 1) * step
        return end - self.count * self.merged * LENGTHS[self.width], end


RANGES = (
    Range("1h", "1 h", "the last hour", Width.MINUTE, 60, 15, "%H:%M", "%b %-d, %H:%M"),
    Range("24h", "24 h", "the last 24 hours", Width.HOUR, 24, 6, "%H:%M", "%b %-d, %H:%M"),
    Range(
        "7d",
        "7 d",
        "the last 7 days",
        Width.HOUR,
        28,
        4,
        "%a %-d",
        "%b %-d, %H:%M",
        merged=6,
        whole_days=True,
    ),
    Range("30d", "30 d", "the last 30 days", Width.DAY, 30, 6, "%b %-d", "%b %-d", whole_days=True),
)
DEFAULT = RANGES[1]


def range_of(key: str) -> Range:
    """The range of that key; anything else is the default."""
    return next((one for one in RANGES if one.key == key), DEFAULT)
