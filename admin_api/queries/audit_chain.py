"""Whether the audit log is as it was written: every entry against its link, every link against the one before."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import connection

from gateway.models import Organization

MOST_BREAKS = 20  # of a chain, the first ones
INSTALLATION = UUID(int=0)  # the chain of what concerns no organization

_WHY = {
    "changed": "this entry was changed after it was written",
    "missing": "an entry was taken out here",
    "moved": "this entry's place in the chain was changed",
    "unlinked": "this entry was put in beside the chain",
}

# One statement sees one moment: an entry and its link come in one transaction.
_SQL = """
WITH link AS (SELECT * FROM audit_link WHERE {of_links}),
     entry AS (SELECT * FROM audit_entry WHERE {of_entries}),
     pair AS (
        SELECT coalesce(l.chain, audit_chain_of(e.organization_id)) AS chain, l.position, l.hash,
               coalesce(l.entry_id, e.id) AS id, e.at,
               CASE WHEN l.entry_id IS NULL THEN 'unlinked'
                    WHEN e.id IS NULL THEN 'missing'
                    WHEN l.previous_hash <> coalesce(lag(l.hash) OVER before, ''::bytea)
                      OR l.position <> coalesce(lag(l.position) OVER before, 0) + 1
                      OR l.chain <> audit_chain_of(e.organization_id) THEN 'moved'
                    WHEN l.hash <> audit_entry_hash(l.previous_hash, e) THEN 'changed'
               END AS broken
          FROM link l FULL JOIN entry e ON e.id = l.entry_id
        WINDOW before AS (PARTITION BY l.chain ORDER BY l.position)),
     numbered AS (
        SELECT *, count(broken) OVER (PARTITION BY chain ORDER BY position NULLS LAST, id) AS so_far FROM pair)
SELECT chain, count(id), count(broken),
       min(at) FILTER (WHERE broken IS NULL AND (position IS NULL OR position > last_broken)),
       (array_agg(encode(hash, 'hex') ORDER BY position DESC NULLS LAST))[1],
       json_agg(json_build_object('id', id, 'at', at, 'broken', broken) ORDER BY so_far)
           FILTER (WHERE broken IS NOT NULL AND so_far <= {most})
  FROM (SELECT *, coalesce(max(position) FILTER (WHERE broken IS NOT NULL) OVER (PARTITION BY chain), 0)
               AS last_broken FROM numbered) AS judged
 GROUP BY chain ORDER BY chain
"""


@dataclasses.dataclass(frozen=True)
class Break:
    """Where a chain does not hold. `at` is the entry's time; None where there is none any more."""

    entry_id: int
    at: datetime.datetime | None
    why: str


@dataclasses.dataclass(frozen=True)
class Chain:
    """`organization_id` is None for the installation's own. `breaks` are the first of `broken`.

    `whole_since` is the time of the first entry behind the last break; None where there is none. `last_hash`
    stands for everything before it: whoever noted it elsewhere sees when the end was cut off.
    """

    organization_id: UUID | None
    entries: int
    broken: int
    whole_since: datetime.datetime | None
    last_hash: str
    breaks: Sequence[Break]

    @property
    def whole(self) -> bool:
        return not self.broken


def verify(organization: Organization) -> Chain:
    """The organization's chain, read from its first entry to its last."""
    found = _read("chain = %s", "organization_id = %s", organization.id, organization.id)
    return found.get(organization.id) or _empty(organization.id)


def verify_installation() -> Chain:
    """The chain of what concerns no organization."""
    return _read("chain = %s", "organization_id IS NULL", INSTALLATION).get(INSTALLATION) or _empty(None)


def verify_all() -> list[Chain]:
    """Every chain that there is."""
    return list(_read("true", "true").values())


def _read(of_links: str, of_entries: str, *arguments: object) -> Mapping[UUID, Chain]:
    with connection.cursor() as cursor:
        cursor.execute(_SQL.format(of_links=of_links, of_entries=of_entries, most=MOST_BREAKS), arguments)
        rows = cursor.fetchall()
    return {row[0]: _chain(*row) for row in rows}


def _chain(
    id: UUID, entries: int, broken: int, since: Any, last_hash: str | None, breaks: list[Any] | None
) -> Chain:
    told = [_break(one["id"], one["at"], one["broken"]) for one in breaks or []]
    return Chain(None if id == INSTALLATION else id, entries, broken, since, last_hash or "", told)


def _break(id: int, at: str | None, broken: str) -> Break:
    return Break(id, datetime.datetime.fromisoformat(at) if at else None, _WHY[broken])


def _empty(organization_id: UUID | None) -> Chain:
    return Chain(organization_id, 0, 0, None, "", [])
