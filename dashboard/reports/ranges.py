"""The time that a page shows; the choice lives in its address (`?range=7d`, or `?start=...&end=...`, and `?bucket=1h`).

Days begin at midnight where the reader lives, so that they have 23 or 25 hours twice a year. `Range` is the Overview's:
a few spans in UTC, each with bars of its own.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping

from gateway.metering.reports import LENGTHS, Width, ceiling, floor

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


# What a page may be asked for beside these: any other span by `start` and `end`.
PRESETS = {
    "1h": ("1 h", "the last hour"),
    "24h": ("24 h", "the last 24 hours"),
    "7d": ("7 d", "the last 7 days"),
    "30d": ("30 d", "the last 30 days"),
    "month": ("This month", "this month"),
    "last_month": ("Last month", "last month"),
}
CUSTOM = "custom"
USUAL = "24h"
LONGEST = datetime.timedelta(days=400)
EARLIEST = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)  # no gateway ran before
_WIDTHS = {"1m": Width.MINUTE, "1h": Width.HOUR, "1d": Width.DAY}
# The longest span that is drawn with bars of a width: more of them nobody can tell apart.
_MOST = {
    Width.MINUTE: datetime.timedelta(hours=3),
    Width.HOUR: datetime.timedelta(days=8),
    Width.DAY: LONGEST,
}
_USUAL_MOST = {**_MOST, Width.HOUR: datetime.timedelta(hours=49)}
# Hours that begin at half past need minutes to be summed.
_MOST_BROKEN_HOURS = datetime.timedelta(days=2, hours=1)


@dataclasses.dataclass(frozen=True)
class Window:
    """The time of a page: from `start` up to `end`, which is not in it, cut at `edges` into bars of a `width`.

    All moments are in UTC and at whole minutes. Days and hours are those of `zone`; the first and the last bar may
    be shorter, as days are where summer time begins. `widths` are those that may be chosen. `problem` says what was
    wrong with what was asked for: the window is the usual one then.
    """

    key: str
    spoken: str
    zone: datetime.tzinfo
    width: Width
    widths: tuple[Width, ...]
    edges: tuple[datetime.datetime, ...]
    now: datetime.datetime
    problem: str = ""

    @property
    def start(self) -> datetime.datetime:
        return self.edges[0]

    @property
    def end(self) -> datetime.datetime:
        return self.edges[-1]

    @property
    def zone_name(self) -> str:
        return str(self.zone)

    @property
    def goes_on(self) -> bool:
        """Whether more may come."""
        return self.end > self.now

    @property
    def is_today(self) -> bool:
        """Whether it shows little but today, which changes by the second."""
        return self.goes_on and self.end - self.start <= datetime.timedelta(hours=25)

    @property
    def previous(self) -> tuple[datetime.datetime, datetime.datetime]:
        """The time before that this one is compared with: as far into the month before, else as long."""
        if self.key in ("month", "last_month"):
            start = _midnight(_months_before(self._local_start.date(), 1), self.zone)
            return start, min(start + (self.end - self.start), self.start) if self.goes_on else self.start
        return self.start - (self.end - self.start), self.start

    @property
    def _local_start(self) -> datetime.datetime:
        return self.start.astimezone(self.zone)

    def label(self, at: datetime.datetime) -> str:
        """How the bar is called that begins at `at`."""
        local = at.astimezone(self.zone)
        if self.width is Width.DAY:
            return local.strftime("%a, %b %-d" if self.end - self.start < _YEARLY else "%b %-d, %Y")
        return local.strftime("%b %-d, %H:%M")

    def tick(self, at: datetime.datetime) -> str:
        """As `label`, for an axis."""
        local = at.astimezone(self.zone)
        if self.width is Width.DAY:
            return local.strftime("%b %-d")
        return local.strftime("%H:%M" if self.end - self.start <= _MOST_BROKEN_HOURS else "%a %H:%M")


_YEARLY = datetime.timedelta(days=360)


def window(query: Mapping[str, str], zone: datetime.tzinfo, now: datetime.datetime) -> Window:
    """What `range`, or `start` and `end`, and `bucket` of an address ask for. Moments without a zone are in `zone`."""
    now = now.astimezone(datetime.UTC)
    try:
        key, start, end = _asked(query, zone, now)
    except ValueError as problem:
        return dataclasses.replace(window({}, zone, now), problem=str(problem))
    widths = tuple(width for width in Width if _may_have(start, end, width, zone))
    chosen = _WIDTHS.get(query.get("bucket", ""))
    width = chosen if chosen in widths else _usual_width(end - start)
    spoken = PRESETS[key][1] if key in PRESETS else _spoken(start, end, zone)
    return Window(key, spoken, zone, width, widths, _edges(start, end, width, zone), now)


def _asked(
    query: Mapping[str, str], zone: datetime.tzinfo, now: datetime.datetime
) -> tuple[str, datetime.datetime, datetime.datetime]:
    """Raises `ValueError` in words for what is no time."""
    if not (query.get("start") or query.get("end")):
        key = query.get("range", "")
        return _preset(key if key in PRESETS else USUAL, zone, now)
    end = ceiling(_moment("End", query["end"], zone) if query.get("end") else now, Width.MINUTE)
    given = _moment("Start", query["start"], zone) if query.get("start") else end - datetime.timedelta(days=1)
    start = floor(given, Width.MINUTE)
    if start >= end:
        raise ValueError("The start has to be before the end.")
    if end - start > LONGEST:
        raise ValueError(f"At most {LONGEST.days} days can be shown at once.")
    return CUSTOM, start, end


def _preset(
    key: str, zone: datetime.tzinfo, now: datetime.datetime
) -> tuple[str, datetime.datetime, datetime.datetime]:
    today = now.astimezone(zone).date()
    tomorrow = _midnight(today + DAY, zone)
    match key:
        case "1h":
            end = ceiling(now + _MOMENT, Width.MINUTE)
            return key, end - datetime.timedelta(hours=1), end
        case "24h":
            end = _next_hour(now, zone)
            return key, end - datetime.timedelta(hours=24), end
        case "month":
            return key, _midnight(today.replace(day=1), zone), tomorrow
        case "last_month":
            return key, _midnight(_months_before(today, 1), zone), _midnight(today.replace(day=1), zone)
    days = int(key.removesuffix("d"))
    return key, _midnight(today - (days - 1) * DAY, zone), tomorrow


_MOMENT = datetime.timedelta(microseconds=1)  # so that at the stroke of the hour the new hour counts


def _moment(name: str, text: str, zone: datetime.tzinfo) -> datetime.datetime:
    try:
        at = datetime.datetime.fromisoformat(text)
        at = (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(datetime.UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{name}: expected a time such as 2026-03-01T09:30.") from None
    if not EARLIEST <= at <= EARLIEST + datetime.timedelta(days=365 * 80):
        raise ValueError(f"{name}: expected a time from 2020 on.")
    return at


def _midnight(day: datetime.date, zone: datetime.tzinfo) -> datetime.datetime:
    """When the day begins; where the clock jumps over midnight, when it jumps."""
    return datetime.datetime.combine(day, datetime.time(), zone).astimezone(datetime.UTC)


def day_around(at: datetime.datetime, zone: datetime.tzinfo) -> tuple[datetime.datetime, datetime.datetime]:
    """When the day begins and ends that holds the moment."""
    day = at.astimezone(zone).date()
    return _midnight(day, zone), _midnight(day + DAY, zone)


def _months_before(day: datetime.date, months: int) -> datetime.date:
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return datetime.date(year, month + 1, 1)


def _next_hour(at: datetime.datetime, zone: datetime.tzinfo) -> datetime.datetime:
    """The start of the hour after, by the clock of the zone."""
    local = at.astimezone(zone)
    past = datetime.timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    return at - past + datetime.timedelta(hours=1)


def _may_have(start: datetime.datetime, end: datetime.datetime, width: Width, zone: datetime.tzinfo) -> bool:
    broken = width is Width.HOUR and start.astimezone(zone).utcoffset() != _whole_hours(start, zone)
    most = _MOST_BROKEN_HOURS if broken else _MOST[width]
    return LENGTHS[width] <= end - start <= most or (width is Width.MINUTE and end - start <= most)


def _whole_hours(at: datetime.datetime, zone: datetime.tzinfo) -> datetime.timedelta:
    offset = at.astimezone(zone).utcoffset() or datetime.timedelta(0)
    return offset - offset % datetime.timedelta(hours=1)


def _usual_width(length: datetime.timedelta) -> Width:
    return next(width for width in Width if length <= _USUAL_MOST[width])


def _spoken(start: datetime.datetime, end: datetime.datetime, zone: datetime.tzinfo) -> str:
    first, last = (at.astimezone(zone).strftime("%b %-d, %Y, %H:%M") for at in (start, end))
    return f"{first} to {last}"


def _edges(
    start: datetime.datetime, end: datetime.datetime, width: Width, zone: datetime.tzinfo
) -> tuple[datetime.datetime, ...]:
    found, at = [start], start
    while (at := _following(at, width, zone)) < end:
        found.append(at)
    return (*found, end)


def _following(at: datetime.datetime, width: Width, zone: datetime.tzinfo) -> datetime.datetime:
    """The next moment at which a minute, an hour or a day of the zone begins."""
    if width is Width.DAY:
        return _midnight(at.astimezone(zone).date() + DAY, zone)
    return at + LENGTHS[Width.MINUTE] if width is Width.MINUTE else _next_hour(at, zone)
