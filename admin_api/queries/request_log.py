"""The requests of an organization, newest first: those that were served or failed, from the ledger, and those that a
limit turned away.

A request that was tried at several providers is the attempt that it ended with.
"""

from __future__ import annotations

import dataclasses
import datetime
import heapq
import itertools
import operator
from collections.abc import Iterator
from typing import Any

from django.db import connection
from django.utils import timezone

from admin_api.queries import log_entries, log_walk
from admin_api.queries.limit_blocks import limit_blocks
from admin_api.queries.log_entries import REFUSED_STATUS, REFUSED_TYPE, Entry
from admin_api.queries.log_sight import Sight
from admin_api.queries.log_walk import Place, Source, Span, Walk
from gateway.models import ApiKey, LimitBlock, Organization

PIECES = 3  # that are looked through for one page of entries of a rare kind
MOST_KEYS = 100  # whose requests are looked up key by key
EXPORTED_AT_ONCE = 2_000
EARLIEST = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)

SUCCEEDED, FAILED, REFUSED = "succeeded", "failed", "refused"


@dataclasses.dataclass(frozen=True)
class Wanted:
    """Empty fields want everything. `status` is an HTTP status, `succeeded`, `failed` or `refused` (by a limit);
    `client` is a part of the user agent; `start` is inclusive, `end` exclusive."""

    status: str = ""
    error: str = ""
    model: str = ""
    api_key_id: str = ""
    workspace_id: str = ""
    user_id: str = ""
    service_tier: str = ""
    client: str = ""
    session_id: str = ""
    stop_reason: str = ""
    stream: bool | None = None
    start: datetime.datetime | None = None
    end: datetime.datetime | None = None

    @property
    def errors_only(self) -> bool:
        return (
            bool(self.error) or self.status == FAILED or (self.status.isdigit() and int(self.status) >= 400)
        )

    @property
    def attempts_too(self) -> bool:
        return self.status != REFUSED

    @property
    def refusals_too(self) -> bool:
        """What a limit turned away has no session, client, stream or end that would be known."""
        told = (self.client, self.session_id, self.stop_reason, self.service_tier)
        return not any(told) and self.stream is None and self.status in ("", FAILED, REFUSED, "402", "429")

    def span(self, now: datetime.datetime) -> Span:
        return self.start or EARLIEST, self.end or now + datetime.timedelta(days=1)


@dataclasses.dataclass(frozen=True)
class Found:
    """`older` is where the next page begins behind, None where there is nothing more. `reach` is a time where looking
    was given up for now: nothing before it was looked at."""

    entries: list[Entry]
    older: Place | None
    reach: datetime.datetime | None


@dataclasses.dataclass(frozen=True)
class LoggedRequest:
    """`attempts` at providers, the first one first, and the limits that turned the request away; not both are empty.
    Each refusal has its `group_name`, as `limit_blocks` tells it."""

    attempts: list[Entry]
    refusals: list[LimitBlock]

    @property
    def workspace_id(self) -> str:
        return str((self.attempts or self.refusals)[0].workspace_id)


def page(sight: Sight, wanted: Wanted, before: Place | None, limit: int) -> Found:
    """The newest entries of what the sight holds and is wanted, or those behind `before`."""
    walks = _walks(sight, wanted, before, limit + 1, PIECES)
    entries = list(itertools.islice(_merged(walks), limit + 1))
    if len(entries) > limit:
        return Found(entries[:limit], entries[limit - 1].place, None)
    reach = max((walk.reach for walk in walks if walk.reach is not None), default=None)
    if reach is None:
        return Found(entries, None, None)
    return Found([entry for entry in entries if entry.at >= reach], (reach, ""), reach)


def entries(sight: Sight, wanted: Wanted) -> Iterator[Entry]:
    """All of them, however long that takes, in steps of some thousands."""
    return _merged(_walks(sight, wanted, None, EXPORTED_AT_ONCE, None))


def one(sight: Sight, request_id: str) -> LoggedRequest | None:
    """All that is known of a request that the sight holds; None for anything else."""
    found = LoggedRequest(_tried(sight, request_id), _turned_away(sight, request_id))
    return found if found.attempts or found.refusals else None


def _tried(sight: Sight, request_id: str) -> list[Entry]:
    rows = f"SELECT row.* FROM usage_event AS row WHERE {_WHOSE} AND row.request_id = %(request_id)s"
    statement = f"{log_entries.of_attempts(rows)} ORDER BY row.at, row.attempt_id"
    with connection.cursor() as cursor:
        cursor.execute(statement, {"organization_id": sight.organization_id, "request_id": request_id})
        found = [Entry(*row) for row in cursor.fetchall()]
    return [entry for entry in found if sight.holds(entry.workspace_id, entry.api_key_id)]


def _turned_away(sight: Sight, request_id: str) -> list[LimitBlock]:
    organization = Organization(id=sight.organization_id)
    found = limit_blocks(organization, request_id=request_id).order_by("at", "id")
    return [block for block in found if sight.holds(block.workspace_id, block.api_key_id)]


def _walks(
    sight: Sight, wanted: Wanted, before: Place | None, at_once: int, pieces: int | None
) -> list[Walk]:
    sources = []
    if wanted.attempts_too:
        sources.append(_attempts(sight, wanted))
    if wanted.refusals_too:
        sources.append(_refusals(sight, wanted))
    span = wanted.span(timezone.now())
    return [Walk(source, span, before, at_once, pieces) for source in sources]


def _merged(walks: list[Walk]) -> Iterator[Entry]:
    return heapq.merge(*walks, key=operator.attrgetter("place"), reverse=True)


_WHEN = "row.day BETWEEN %(first_day)s AND %(last_day)s AND row.at >= %(start)s AND row.at < %(end)s"
_WHOSE = "row.organization_id = %(organization_id)s"
# Only what failed was tried again, at once, so that others need not be looked for.
LAST = (
    "(row.status < 400 OR NOT EXISTS (SELECT FROM usage_event AS later"
    " WHERE later.organization_id = row.organization_id AND later.request_id = row.request_id"
    " AND later.attempt > row.attempt AND later.day BETWEEN %(first_day)s AND %(last_day)s::date + 1))"
)


def _attempts(sight: Sight, wanted: Wanted) -> Source:
    holders = _holders(sight, wanted)
    base = [_WHOSE, _WHEN]
    if wanted.errors_only:
        base.append("row.status >= 400")
    if wanted.session_id:
        base.append("row.session_id = %(session_id)s AND row.session_id <> ''")
    rest = [*holders.conditions, *_kinds(wanted)]
    if wanted.service_tier:
        rest.append("row.service_tier = %(service_tier)s")
    if wanted.stream is not None:
        rest.append("row.stream = %(stream)s")
    if wanted.client:
        rest.append("strpos(lower(row.user_agent), lower(%(client)s)) > 0")
    if wanted.stop_reason:
        rest.append("row.stop_reason = %(stop_reason)s")
    return Source(
        table="usage_event",
        distinct="",
        base=" AND ".join(base),
        rest=" AND ".join(rest),
        last="" if wanted.status == SUCCEEDED else LAST,
        order="row.at DESC, row.attempt_id DESC",
        older="(row.at, row.attempt_id) < (%(before_at)s, %(before_uuid)s)",
        made=log_entries.of_attempts,
        values=holders.values,
        piece=log_walk.SCATTERED
        if holders.of_keys or wanted.errors_only or wanted.session_id
        else log_walk.NEIGHBOURS,
        of_keys=holders.of_keys,
        summed="" if holders.of_keys else " AND ".join(holders.conditions),
    )


def _kinds(wanted: Wanted) -> list[str]:
    """How a request ended."""
    found = []
    if wanted.status == SUCCEEDED:
        found.append("row.status < 400")
    if wanted.status.isdigit():
        found.append("row.status = %(status)s")
    if wanted.error:
        found.append("row.error_type = %(error)s")
    return found


def _refusals(sight: Sight, wanted: Wanted) -> Source:
    """Several limits may have refused one request: it is one entry."""
    holders = _holders(sight, wanted)
    rest = list(holders.conditions)
    if wanted.status.isdigit():
        rest.append(f"{REFUSED_STATUS} = %(status)s")
    if wanted.error:
        rest.append(f"{REFUSED_TYPE} = %(error)s")
    return Source(
        table="limit_block",
        distinct='DISTINCT ON (row.at, row.request_id COLLATE "C")',
        base=f"{_WHOSE} AND {_WHEN}",
        rest=" AND ".join(rest),
        last="",
        order='row.at DESC, row.request_id COLLATE "C" DESC',
        older='(row.at, row.request_id COLLATE "C") < (%(before_at)s, %(before_id)s)',
        made=log_entries.of_refusals,
        values=holders.values,
        of_keys=holders.of_keys,
    )


@dataclasses.dataclass(frozen=True)
class _Holders:
    """What requests have to be of. With `of_keys`: of the keys that are among the values as `each_key`."""

    conditions: list[str]
    values: dict[str, Any]
    of_keys: bool


def _holders(sight: Sight, wanted: Wanted) -> _Holders:
    """The rollups have the columns of the conditions too."""
    values: dict[str, Any] = {"organization_id": sight.organization_id, **dataclasses.asdict(wanted)}
    conditions = []
    if sight.workspaces:
        conditions.append("(row.workspace_id = ANY(%(workspaces)s) OR row.api_key_id = ANY(%(keys)s))")
        values |= {"workspaces": list(sight.workspaces), "keys": list(sight.keys)}
    for name in ("workspace_id", "model"):
        if getattr(wanted, name):
            conditions.append(f"row.{name} = %({name})s")
    keys = _keys(sight, wanted)
    values["each_key"] = keys
    if keys is not None and len(keys) > MOST_KEYS:
        conditions.append("row.api_key_id = ANY(%(each_key)s)")
    return _Holders(conditions, values, keys is not None and len(keys) <= MOST_KEYS)


def _keys(sight: Sight, wanted: Wanted) -> list[str] | None:
    """The only keys whose requests can be found; None where it may be any."""
    told = [
        set(sight.keys) if sight.workspaces == () else None,
        {wanted.api_key_id} if wanted.api_key_id else None,
        set(keys_of(sight, wanted.user_id)) if wanted.user_id else None,
    ]
    some = [keys for keys in told if keys is not None]
    return sorted(set.intersection(*some)) if some else None


def keys_of(sight: Sight, user_id: str) -> list[str]:
    """The keys that act for a member."""
    mine = ApiKey.objects.filter(organization=sight.organization_id, user=user_id)
    return list(mine.values_list("id", flat=True))
