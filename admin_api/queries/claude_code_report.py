"""Who worked with Claude Code on a day, and what it used, from the rollup of its sessions.

The gateway sees requests and their usage. It does not see what became of the answers in somebody's editor: lines
of code, commits, pull requests and edits that were accepted or rejected are always 0.
"""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
from django.db import connection

from admin_api.money import CURRENCY, cents_in_sql
from admin_api.pages import opened, sealed
from admin_api.queries.report_pages import Moment
from gateway.models import Organization


class UserActor(msgspec.Struct, frozen=True, tag_field="type", tag="user_actor"):
    """Who the keys act for; all of a person's keys together."""

    email_address: str


class ApiActor(msgspec.Struct, frozen=True, tag_field="type", tag="api_actor"):
    """One key that acts for no person."""

    api_key_name: str


class LinesOfCode(msgspec.Struct, frozen=True):
    added: int = 0
    removed: int = 0


class CoreMetrics(msgspec.Struct, frozen=True):
    num_sessions: int
    lines_of_code: LinesOfCode = LinesOfCode()
    commits_by_claude_code: int = 0
    pull_requests_by_claude_code: int = 0


class Decisions(msgspec.Struct, frozen=True):
    accepted: int = 0
    rejected: int = 0


class ToolActions(msgspec.Struct, frozen=True):
    edit_tool: Decisions = Decisions()
    multi_edit_tool: Decisions = Decisions()
    write_tool: Decisions = Decisions()
    notebook_edit_tool: Decisions = Decisions()


class Tokens(msgspec.Struct, frozen=True):
    input: int
    output: int
    cache_read: int
    cache_creation: int


class EstimatedCost(msgspec.Struct, frozen=True):
    """In cents, with what is less than one."""

    currency: str
    amount: Annotated[Decimal, msgspec.Meta(extra_json_schema={"type": "number", "format": "double"})]


class ModelUsage(msgspec.Struct, frozen=True):
    model: str
    tokens: Tokens
    estimated_cost: EstimatedCost


class ClaudeCodeUsage(msgspec.Struct, frozen=True):
    """What one actor did on one day in one terminal."""

    date: Moment
    actor: UserActor | ApiActor
    organization_id: str
    customer_type: Literal["api"]
    terminal_type: str
    core_metrics: CoreMetrics
    tool_actions: ToolActions
    model_breakdown: list[ModelUsage]


class ClaudeCodeReport(msgspec.Struct, frozen=True):
    data: list[ClaudeCodeUsage]
    has_more: bool
    next_page: str | None


# Actors are known by the user's id, or the key's where it acts for nobody; by it and the terminal pages are walked.
_STATEMENT = f"""
WITH mine AS (
    SELECT coalesce(key.user_id, total.api_key_id) COLLATE "C" AS actor, total.terminal COLLATE "C" AS terminal,
        session_id, model, input_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens,
        output_tokens, cost
    FROM usage_session AS total LEFT JOIN gateway_apikey AS key
        ON key.id = total.api_key_id AND key.organization_id = total.organization_id
    WHERE total.organization_id = %(organization_id)s AND total.day = %(day)s
), page AS (
    SELECT actor, terminal, count(DISTINCT nullif(session_id, '')) AS sessions
    FROM mine WHERE (actor, terminal) > (%(actor)s, %(terminal)s)
    GROUP BY actor, terminal ORDER BY actor, terminal LIMIT %(most)s
)
SELECT page.actor, page.terminal, person.email, key.name, page.sessions, mine.model,
    sum(input_tokens)::bigint, sum(output_tokens)::bigint, sum(cache_read_tokens)::bigint,
    sum(cache_write_5m_tokens + cache_write_1h_tokens)::bigint, {cents_in_sql("sum(cost)")}
FROM page JOIN mine ON mine.actor = page.actor AND mine.terminal = page.terminal
    LEFT JOIN gateway_user AS person ON person.id = page.actor
    LEFT JOIN gateway_apikey AS key ON key.id = page.actor AND key.organization_id = %(organization_id)s
GROUP BY page.actor, page.terminal, person.email, key.name, page.sessions, mine.model
ORDER BY page.actor, page.terminal, mine.model COLLATE "C"
"""


def claude_code_report(organization: Organization, asked: Mapping[str, Any]) -> ClaudeCodeReport:
    """What `asked` (a `ClaudeCodeReportQuery`) wants. Raises `InvalidRequest` for a page of another day."""
    day, limit = asked["starting_at"], asked["limit"]
    of = f"claude_code:{day}"
    actor, terminal = (
        opened(asked["page"], organization=organization, of=of, parts=2) if "page" in asked else ("", "")
    )
    with connection.cursor() as cursor:
        cursor.execute(
            _STATEMENT,
            {
                "organization_id": organization.id,
                "day": day,
                "actor": actor,
                "terminal": terminal,
                "most": limit + 1,
            },
        )
        found = [list(rows) for _, rows in itertools.groupby(cursor.fetchall(), key=lambda row: row[:2])]
    more = len(found) > limit
    return ClaudeCodeReport(
        data=[_usage(organization, day, rows) for rows in found[:limit]],
        has_more=more,
        next_page=sealed(found[limit - 1][0][:2], organization=organization, of=of) if more else None,
    )


def _usage(
    organization: Organization, day: datetime.date, rows: Sequence[tuple[Any, ...]]
) -> ClaudeCodeUsage:
    actor, terminal, email, key_name, sessions, *_ = rows[0]
    return ClaudeCodeUsage(
        date=datetime.datetime.combine(day, datetime.time(), datetime.UTC),
        actor=UserActor(email) if email is not None else ApiActor(key_name or actor),
        organization_id=str(organization.id),
        customer_type="api",
        terminal_type=terminal,
        core_metrics=CoreMetrics(num_sessions=sessions),
        tool_actions=ToolActions(),
        model_breakdown=list(_models(rows)),
    )


def _models(rows: Iterable[tuple[Any, ...]]) -> Iterable[ModelUsage]:
    for *_, model, given, output, cached, written, cents in rows:
        yield ModelUsage(model, Tokens(given, output, cached, written), EstimatedCost(CURRENCY, cents))
