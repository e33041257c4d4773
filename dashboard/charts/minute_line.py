"""A line over the minutes of the last hour: pure, from values to a path in a box as wide as there are minutes."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping

from dashboard.frame import figures

MINUTES = 60
HEIGHT = 24
MINUTE = datetime.timedelta(minutes=1)


@dataclasses.dataclass(frozen=True)
class MinuteLine:
    """`percent` is how much of the limit the highest minute took; `spoken` says it without the picture."""

    line: str
    area: str
    peak: str
    exact_peak: str
    peak_at: datetime.datetime
    percent: int
    spoken: str
    values: list[int]
    width: int = MINUTES - 1
    height: int = HEIGHT


def starts(now: datetime.datetime) -> list[datetime.datetime]:
    """Of the last sixty minutes, the one that `now` lies in as the last."""
    last = now.astimezone(datetime.UTC).replace(second=0, microsecond=0)
    return [last - MINUTE * (MINUTES - 1 - place) for place in range(MINUTES)]


def minute_line(
    used: Mapping[datetime.datetime, int], limit: int, now: datetime.datetime
) -> MinuteLine | None:
    """None where nothing was used. The whole height is the highest minute, so that small use has a shape too."""
    times = starts(now)
    values = [used.get(at, 0) for at in times]
    peak = max(values)
    if not peak:
        return None
    at = times[values.index(peak)]
    points = " ".join(f"{x},{HEIGHT - value * HEIGHT / peak:.1f}" for x, value in enumerate(values))
    percent = round(peak * 100 / limit)
    spoken = (
        f"Highest minute of the last hour: {figures.count(peak)} at {at:%H:%M} UTC, {percent}% of the limit."
    )
    return MinuteLine(
        line=f"M{points}",
        area=f"M0,{HEIGHT} L{points} L{MINUTES - 1},{HEIGHT}Z",
        peak=figures.compact(peak),
        exact_peak=figures.count(peak),
        peak_at=at,
        percent=percent,
        spoken=spoken,
        values=values,
    )
