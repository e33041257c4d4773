"""Which buckets a page of a report shows: aligned in UTC, at most `limit` of them, then the next page."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from admin_api.pages import opened, sealed
from gateway.metering.reports import LENGTHS, Width, ceiling, floor
from gateway.models import Organization

Moment = Annotated[datetime.datetime, msgspec.Meta(tz=True)]  # with a zone, as all are on the wire

# No gateway ran before, and what is later does not matter: calendars end, and each page is bounded anyway.
EARLIEST = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
LATEST = datetime.datetime(2100, 1, 1, tzinfo=datetime.UTC)


@dataclasses.dataclass(frozen=True)
class ReportPage:
    """The buckets from `first` up to `last`, which is not among them. `next_page` is None on the last page."""

    width: Width
    first: datetime.datetime
    last: datetime.datetime
    next_page: str | None

    def starts(self) -> list[datetime.datetime]:
        length = LENGTHS[self.width]
        return [self.first + n * length for n in range((self.last - self.first) // length)]


def report_page(
    asked: Mapping[str, Any], *, organization: Organization, of: str, now: datetime.datetime
) -> ReportPage:
    """The page that `asked` (a `ReportQuery`) wants; `of` names the report.

    A page belongs to a walk, which ends where it ended when it began. Raises `InvalidRequest` for a page of
    another report, organization or width.
    """
    width = Width(asked["bucket_width"])
    of = f"{of}:{width}"
    if "page" in asked:
        position = opened(asked["page"], organization=organization, of=of, parts=2)
        first, end = map(datetime.datetime.fromisoformat, position)
    else:
        first = floor(_within(asked["starting_at"]), width)
        end = ceiling(_within(asked.get("ending_at", now)), width)
    last = max(first, min(end, first + asked["limit"] * LENGTHS[width]))
    if last >= end:
        return ReportPage(width, first, last, None)
    position = [last.isoformat(), end.isoformat()]
    return ReportPage(width, first, last, sealed(position, organization=organization, of=of))


def _within(at: datetime.datetime) -> datetime.datetime:
    return min(max(at, EARLIEST), LATEST)
