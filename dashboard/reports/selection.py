"""What the address of Usage or Cost selects: a time, a grouping and filters. All of it is in the address, so that a
page can be shared, and each of its links says what it changes.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from functools import cached_property
from urllib.parse import urlencode

from django.http import HttpRequest
from django.utils import timezone

from admin_api.queries.own_keys import own_key_ids
from admin_api.queries.sums import LONGEST_OF_EVENTS, Question
from dashboard.frame import time_zone
from dashboard.frame.place import Place
from dashboard.reports.ranges import CUSTOM, PRESETS, Window, day_around, window
from gateway.metering.reports import Width
from gateway.models import Membership

LOGS = "/logs"
# Filters by their names in addresses, which those of Logs are too, and the columns that they are of.
FILTERS = {
    "model": "model",
    "workspace_id": "workspace_id",
    "api_key_id": "api_key_id",
    "user_id": "account_id",
    "service_tier": "service_tier",
    "client": "client",
    "session_id": "session_id",
}
OF_EVENTS = ("client", "session_id")
_KEPT = ("range", "start", "end", "tz", "bucket", "group", "sort", "compare", *FILTERS)
_TIME = ("range", "start", "end", "bucket")


@dataclasses.dataclass(frozen=True)
class Grouping:
    """`column` of `sums.COLUMNS`; empty where the series are kinds of tokens or charges. `filter` is the name of
    the filter that a group is, if it is one; `one` is a word for one group, `none` for what has none. Of some there are
    `few`, whatever the organization."""

    key: str
    label: str
    one: str
    column: str = ""
    filter: str = ""
    none: str = "unknown"
    few: bool = False


TYPE = Grouping("type", "Kind of token", "kind of token")
MODEL = Grouping("model", "Model", "model", "model", "model", few=True)
API_KEY = Grouping("api_key", "API key", "API key", "api_key_id", "api_key_id")
WORKSPACE = Grouping("workspace", "Workspace", "workspace", "workspace_id", "workspace_id")
MEMBER = Grouping("member", "Member", "member", "account_id", "user_id", "Keys of nobody")
TIER = Grouping("service_tier", "Service tier", "service tier", "service_tier", "service_tier", few=True)
CLIENT = Grouping("client", "Client", "client", "client", "client", "Not told", few=True)
SESSION = Grouping("session", "Session", "session", "session_id", "session_id", "Without a session")
TOKEN_TYPE = Grouping("token_type", "Token type", "token type")
TOOL = Grouping("tool", "Tool", "tool")


@dataclasses.dataclass(frozen=True)
class Selection:
    """`given` are the parameters of the address that mean something; `groupings` those that may be chosen."""

    path: str
    given: Mapping[str, str]
    window: Window
    groupings: Sequence[Grouping]
    own_zone: str
    place: Place
    sorts: Sequence[str] = ()

    @cached_property
    def grouping(self) -> Grouping:
        chosen = self.given.get("group", "")
        return next((one for one in self.groupings if one.key == chosen), self.groupings[0])

    @property
    def sort(self) -> str:
        chosen = self.given.get("sort", "")
        return chosen if chosen in self.sorts else self.sorts[0]

    @property
    def compares(self) -> bool:
        return bool(self.given.get("compare"))

    @property
    def wanted(self) -> dict[str, list[str]]:
        return {FILTERS[name]: [self.given[name]] for name in FILTERS if name in self.given}

    @property
    def is_filtered(self) -> bool:
        return bool(self.wanted)

    @property
    def problem(self) -> str:
        """Why nothing can be told of this selection, in words; empty where all is well."""
        asks_events = self.grouping.column in OF_EVENTS or any(name in self.given for name in OF_EVENTS)
        if asks_events and self.window.end - self.window.start > LONGEST_OF_EVENTS:
            return "By client or session, up to a day can be shown: choose a shorter time."
        return ""

    @cached_property
    def keys(self) -> list[str] | None:
        """The ids of the keys whose usage may be seen; None for all."""
        return None if self.place.sees_all_usage else own_key_ids(self.place.membership)

    def question(self, *edges: datetime.datetime) -> Question:
        """Of everything selected, by group, in the bars of the window or between these moments."""
        by = (self.grouping.column,) if self.grouping.column else ()
        between = edges or self.window.edges
        return Question(self.place.organization, between, by, self.wanted, self.keys)

    def address(self, **changes: str | None) -> str:
        """This page with other parameters; None and empty ones go."""
        parameters = {**self.given, **changes}
        query = urlencode({name: value for name, value in parameters.items() if value})
        return f"{self.path}?{query}" if query else self.path

    def _timed(self, **time: str) -> str:
        return self.address(**{**dict.fromkeys(_TIME), **time})

    @property
    def file(self) -> str:
        """The address of the file of exactly this."""
        return self.address().replace(self.path, f"{self.path}.csv", 1)

    def file_name(self, noun: str) -> str:
        first, last = (f"{at:%Y%m%dT%H%MZ}" for at in (self.window.start, self.window.end))
        return f"{noun}-{self.grouping.key}-{first}-{last}"

    @property
    def cleared(self) -> str:
        """Without filters."""
        return self.address(**dict.fromkeys(FILTERS))

    @property
    def every(self) -> str:
        """How often the page asks again; empty where nothing more comes."""
        return "" if not self.window.goes_on else "5s" if self.window.is_today else "60s"

    @property
    def ranges(self) -> list[tuple[str, str, str, bool]]:
        """Links to presets: address, label, words, and whether it is this one."""
        return [
            (self._timed(range=key), label, spoken, key == self.window.key)
            for key, (label, spoken) in PRESETS.items()
        ]

    def into(self, start: datetime.datetime, end: datetime.datetime) -> str:
        """Where a bar leads: a day to its hours, an hour to its minutes, a minute to its requests."""
        if self.window.width is Width.MINUTE:
            return self._requests(start, end)
        finer = Width.HOUR if self.window.width is Width.DAY else Width.MINUTE
        return self._timed(start=moment(start), end=moment(end), bucket=finer.value)

    def _requests(self, start: datetime.datetime, end: datetime.datetime) -> str:
        """Empty for who may not see requests."""
        if self.place.role == Membership.Role.BILLING:
            return ""
        filters = {name: self.given[name] for name in FILTERS if name in self.given}
        return f"{LOGS}?{urlencode({'start': moment(start), 'end': moment(end), **filters})}"

    @property
    def whole_day(self) -> str:
        """For who has come down to an hour: the address of the day around it."""
        if self.window.key != CUSTOM or self.window.width is not Width.MINUTE:
            return ""
        start, end = day_around(self.window.start, self.window.zone)
        return self._timed(start=moment(start), end=moment(end), bucket=Width.HOUR.value)

    @property
    def other_zone(self) -> tuple[str, str]:
        """The address of this page in UTC, or in the reader's own zone, and the name of that; empty without one."""
        if self.window.zone_name != time_zone.UTC:
            return self.address(tz=time_zone.UTC), time_zone.UTC
        return (self.address(tz=None), self.own_zone) if self.own_zone != time_zone.UTC else ("", "")

    @property
    def local_start(self) -> str:
        """For a field of a form."""
        return self._local(self.window.start)

    @property
    def local_end(self) -> str:
        return self._local(self.window.end)

    def _local(self, at: datetime.datetime) -> str:
        if self.window.key != CUSTOM:
            return ""
        return at.astimezone(self.window.zone).strftime("%Y-%m-%dT%H:%M")


def selection(
    request: HttpRequest, place: Place, path: str, groupings: Sequence[Grouping], sorts: Sequence[str]
) -> Selection:
    given = {name: _clean(request.GET.get(name, "")) for name in _KEPT}
    given = {name: value for name, value in given.items() if value}
    zone = time_zone.shown(request)
    chosen = window(given, zone, timezone.now())
    return Selection(path, given, chosen, groupings, str(time_zone.own(request)), place, sorts)


def _clean(text: str) -> str:
    """PostgreSQL takes no NUL, and no name has one."""
    return text.replace("\x00", "").strip()


def moment(at: datetime.datetime) -> str:
    """In UTC, as `?start=` and `?end=` take it."""
    return at.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%MZ")
