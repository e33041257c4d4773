"""The audit log as a file, an entry a line."""

from __future__ import annotations

import json
from collections.abc import Iterator

from django.db.models import QuerySet

from dashboard.audit_log.lines import Line, lines_of
from dashboard.downloads.csv_export import Cell
from gateway.models import AuditEntry, AuditLink

AT_ONCE = 500  # rows of a file
HEADER = (
    "at",
    "id",
    "organization_id",
    "actor_type",
    "actor_id",
    "actor",
    "action",
    "target_type",
    "target_id",
    "target",
    "details",
    "ip_address",
    "user_agent",
    "request_id",
    "hash",
)


def csv_rows(rows: QuerySet[AuditEntry]) -> Iterator[list[Cell]]:
    """The newest first, some hundred at a time, so that nobody holds a statement open for a slow reader."""
    last: int | None = None
    while True:
        left = rows if last is None else rows.filter(pk__lt=last)
        entries = list(left.order_by("-pk")[:AT_ONCE])
        if not entries:
            return
        links = AuditLink.objects.in_bulk([entry.pk for entry in entries])
        for line in lines_of(entries):
            yield _csv_row(line, links.get(line.entry.pk))
        last = entries[-1].pk


def _csv_row(line: Line, link: AuditLink | None) -> list[Cell]:
    entry = line.entry
    return [
        entry.at,
        entry.pk,
        str(entry.organization_id or ""),
        entry.actor_type,
        entry.actor_id,
        line.actor,
        entry.action,
        entry.target_type,
        entry.target_id,
        line.target,
        json.dumps(entry.details, ensure_ascii=False),
        entry.ip_address,
        entry.user_agent,
        entry.request_id,
        bytes(link.hash).hex() if link else "",
    ]
