"""The list of API keys as its address asks for it: narrowed, ordered, one page, or the whole as a file."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator, Mapping
from urllib.parse import urlencode

from django.db.models import QuerySet, Value
from django.db.models.functions import Coalesce

from admin_api import pages
from admin_api.pages import IdPage
from admin_api.queries.api_keys import in_status, keys_for
from dashboard.api_keys.lines import STATUSES, Line, lines
from dashboard.downloads.csv_export import Cell
from dashboard.frame.place import Place
from gateway.models import ApiKey

ON_A_PAGE = 25
AT_ONCE = 500  # rows of a file
WHOLE_ORGANIZATION = "organization"
STALE = "stale"
ORDERS = {"": "created_at", "used": "used_at"}
NEVER = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
HEADER = (
    "id",
    "name",
    "hint",
    "status",
    "workspace_id",
    "workspace",
    "user_id",
    "service_account_id",
    "created_by",
    "created_at",
    "last_used_at",
    "last_used_from",
    "last_used_by",
    "expires_at",
    "requests_in_7_days",
    "spent",
    "spend_limit",
    "spend_period",
)


@dataclasses.dataclass(frozen=True)
class KeyList:
    """`asked` are the filters and the order of an address; what they do not know means nothing."""

    place: Place
    asked: Mapping[str, str]

    @property
    def query(self) -> str:
        """As it stands in an address; without the page."""
        return urlencode(self.asked)

    @property
    def narrowed(self) -> bool:
        return any(name != "sort" for name in self.asked)

    def query_after(self, last: str) -> str:
        return urlencode({**self.asked, "after": last})

    def page(self, after: str, size: int = ON_A_PAGE) -> IdPage[ApiKey]:
        """Raises `InvalidRequest` where `after` is no key that the member sees."""
        mine = self._ordered(keys_for(self.place.membership))
        asked: dict[str, object] = {"limit": size, **({"after_id": after} if after else {})}
        order = ORDERS[self.asked.get("sort", "")]
        found: IdPage[ApiKey] = pages.by_id(self._narrow(mine), asked, among=mine, at=order)
        return found

    def rows(self, now: datetime.datetime) -> Iterator[list[Cell]]:
        """For a file: some hundred at a time, so that nobody holds a statement open for a slow reader."""
        after, more = "", True
        while more:
            page = self.page(after, AT_ONCE)
            more = page.has_more
            for line in lines(self.place.organization, page.rows, now):
                after = line.key.id
                yield _cells(line)

    def _ordered(self, rows: QuerySet[ApiKey]) -> QuerySet[ApiKey]:
        """With what they may be ordered by: those that were never used come last."""
        return rows.annotate(used_at=Coalesce("use__at", Value(NEVER)))

    def _narrow(self, rows: QuerySet[ApiKey]) -> QuerySet[ApiKey]:
        status, workspace = self.asked.get("status", ""), self.asked.get("workspace", "")
        rows = in_status(rows, status) if status else rows.exclude(status=ApiKey.Status.ARCHIVED)
        if workspace == WHOLE_ORGANIZATION:
            return rows.filter(workspace=None)
        return rows.filter(workspace=workspace) if workspace else rows


def key_list(place: Place, given: Mapping[str, str]) -> KeyList:
    """Of what an address holds; words that mean nothing are left out."""
    known = {
        "status": given.get("status", "") if given.get("status") in (*STATUSES, STALE) else "",
        "workspace": given.get("workspace", "").replace("\0", ""),
        "sort": given.get("sort", "") if given.get("sort") in ORDERS else "",
    }
    return KeyList(place, {name: value for name, value in known.items() if value})


def _cells(line: Line) -> list[Cell]:
    key, use, spend = line.key, line.use, line.spend
    return [
        key.id,
        key.name,
        key.hint,
        line.status,
        key.workspace_id,
        key.workspace.name if key.workspace else None,
        key.user_id,
        key.service_account_id,
        key.created_by.email if key.created_by else None,
        key.created_at,
        use.at if use else None,
        use.address if use else None,
        use.user_agent if use else None,
        key.expires_at,
        line.week.total,
        spend.spent,
        spend.limit,
        spend.period,
    ]
