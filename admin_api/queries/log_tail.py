"""The newest requests of several organizations in one statement, and which of them somebody wants to see.

What is asked of the database here is so little that others can share it: filters are applied to what it answers.
"""

from __future__ import annotations

import dataclasses
import datetime
import uuid
from collections.abc import Sequence

from django.db import connection

from admin_api.queries.log_entries import Entry, of_attempts, of_refusals
from admin_api.queries.log_sight import Sight
from admin_api.queries.request_log import FAILED, LAST, REFUSED, SUCCEEDED, Wanted, keys_of

Newest = dict[uuid.UUID, list[Entry]]


@dataclasses.dataclass(frozen=True)
class Taste:
    """What one reader sees and wants. `keys` are those of the member that is asked for, None where none is."""

    sight: Sight
    wanted: Wanted
    keys: frozenset[str] | None

    def takes(self, entry: Entry) -> bool:
        """As the list finds it, save for times: what is new is wanted."""
        return (
            self.sight.holds(entry.workspace_id, entry.api_key_id)
            and (self.keys is None or entry.api_key_id in self.keys)
            and _is_of(self.wanted, entry)
            and _ended_as(self.wanted, entry)
        )


def taste_of(sight: Sight, wanted: Wanted) -> Taste:
    """One query, where a member is asked for."""
    return Taste(sight, wanted, frozenset(keys_of(sight, wanted.user_id)) if wanted.user_id else None)


def newest(organizations: Sequence[uuid.UUID], since: datetime.datetime, most: int) -> Newest:
    """The `most` newest attempts that requests ended with, and as many refusals, of each; newest first."""
    served = of_attempts(_newest_of("usage_event", LAST), "row.organization_id, ")
    refused = of_refusals(_newest_of("limit_block", "true"), "row.organization_id, ")
    values = {
        "organizations": list(organizations),
        "since": since,
        "first_day": since.date(),
        "last_day": since.date(),
        "most": most,
    }
    found: Newest = {organization: [] for organization in organizations}
    with connection.cursor() as cursor:
        cursor.execute(f"{served} UNION ALL {refused}", values)
        for organization, *row in cursor.fetchall():
            found[organization].append(Entry(*row))
    return {
        one: sorted(entries, key=lambda entry: entry.place, reverse=True) for one, entries in found.items()
    }


def _newest_of(table: str, condition: str) -> str:
    """An attempt began some time before it came to the ledger, so that it is the time that is looked back."""
    return (
        "SELECT found.* FROM unnest(%(organizations)s::uuid[]) AS organization(id) CROSS JOIN LATERAL ("
        f"SELECT row.* FROM {table} AS row WHERE row.organization_id = organization.id AND row.at >= %(since)s"
        f" AND row.day >= %(first_day)s AND {condition} ORDER BY row.at DESC LIMIT %(most)s) AS found"
    )


def _is_of(wanted: Wanted, entry: Entry) -> bool:
    return (
        wanted.model in ("", entry.model)
        and wanted.api_key_id in ("", entry.api_key_id)
        and wanted.workspace_id in ("", entry.workspace_id)
        and wanted.session_id in ("", entry.session_id)
        and wanted.service_tier in ("", entry.service_tier)
        and wanted.client.lower() in entry.user_agent.lower()
    )


def _ended_as(wanted: Wanted, entry: Entry) -> bool:
    return (
        _has_status(wanted.status, entry)
        and wanted.error in ("", entry.error_type)
        and wanted.stop_reason in ("", entry.stop_reason)
        and wanted.stream in (None, entry.stream)
    )


def _has_status(status: str, entry: Entry) -> bool:
    if status.isdigit():
        return entry.status == int(status)
    return {SUCCEEDED: not entry.failed, FAILED: entry.failed, REFUSED: entry.refused}.get(status, True)
