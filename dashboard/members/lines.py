"""What the pages of members show of them."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence
from decimal import Decimal

from admin_api.queries.member_activity import last_requests
from admin_api.queries.member_spend import spend_to_date
from admin_api.queries.second_factors import with_second_factor
from admin_api.queries.sso import came_through_sso
from admin_api.queries.workspace_roles import WorkspaceRoleHeld, roles_given
from admin_api.roles import INHERITED
from dashboard.downloads.csv_export import Cell
from gateway.models import Membership, Organization
from gateway.models.spend_limits import Period

COLUMNS = (
    "id",
    "name",
    "email",
    "role",
    "workspaces",
    "second_factor",
    "last_seen",
    "spend_this_month_usd",
    "joined",
)
NAMED = 2  # workspaces, before the others are counted
MONTH = Period("monthly")


@dataclasses.dataclass(frozen=True)
class Line:
    """`second_factor` is whether they sign in with one, `sso` whether they came through the organization's provider;
    `seen` is the last sign-in, or the last request with a key that acts for the member; `spent` is this month's by such
    keys, in US dollars."""

    membership: Membership
    workspaces: str
    second_factor: bool
    sso: bool
    seen: datetime.datetime | None
    spent: Decimal

    @property
    def name(self) -> str:
        return self.membership.user.name or self.membership.user.email

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Under `COLUMNS`."""
        member, user = self.membership, self.membership.user
        factor = "on" if self.second_factor else "off"
        known = (user.id, user.name, user.email, member.role, self.workspaces, factor)
        return (*known, self.seen, self.spent, member.added_at)


def read(organization: Organization, rows: Sequence[Membership], now: datetime.datetime) -> list[Line]:
    """In the order of `rows`, whose users are there already; the same few queries for any number."""
    ids = [row.user_id for row in rows]
    spent = spend_to_date(organization, ids, [MONTH], now=now)
    requests = last_requests(organization, ids)
    given, secured = roles_given(organization, ids), with_second_factor(ids)
    through = came_through_sso(organization, ids)
    return [
        Line(
            membership=row,
            workspaces=_workspaces(row, given.get(row.user_id, [])),
            second_factor=row.user_id in secured,
            sso=row.user_id in through,
            seen=max(filter(None, (row.user.last_login, requests.get(row.user_id))), default=None),
            spent=spent.get((row.user_id, MONTH), Decimal(0)),
        )
        for row in rows
    ]


def _workspaces(row: Membership, given: Sequence[WorkspaceRoleHeld]) -> str:
    if row.role in INHERITED:
        return "All"
    names = ["Default", *[one.workspace.name for one in given]]
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")
