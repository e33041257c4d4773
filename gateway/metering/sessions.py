"""Sessions of Claude Code, which a report of its own tells of: one row per day, session, terminal and model.

Raised as the rollups are, by the same rows in the same transaction. Claude Code is known by its user agent,
`claude-cli/2.1.332 (external, cli)`; the second thing in the parenthesis is where it runs: a terminal (`cli`),
an editor (`claude-vscode`), or a program that embeds it (`sdk-ts`, `sdk-py`).
"""

from __future__ import annotations

import psycopg

from gateway.metering.summary import NONE, Summary

USER_AGENT = "claude-cli/"

# A user agent without a second thing, as those of the first versions are, names none.
TERMINAL = r"coalesce(left(substring(user_agent FROM '^[^(]*\([^,)]*,\s*([^,)\s][^,)]*)'), 64), 'unknown')"

KEY = {
    "organization_id": "organization_id",
    "day": "day",
    "api_key_id": "api_key_id",
    "session_id": "session_id",
    "terminal": TERMINAL,
    "model": "model",
}
SUMS = {
    "requests": "count(*)",
    "input_tokens": "sum(input_tokens)",
    "cache_read_tokens": "sum(cache_read_tokens)",
    "cache_write_5m_tokens": "sum(cache_write_5m_tokens)",
    "cache_write_1h_tokens": "sum(cache_write_1h_tokens)",
    "output_tokens": "sum(output_tokens)",
    "cost": "sum(cost)",
}


SUMMARY = Summary("usage_session", KEY, SUMS, counted=f"user_agent LIKE '{USER_AGENT}%%'")


def add(cursor: psycopg.Cursor, rows: str, replaced: str = NONE) -> None:
    """Raise the sessions by those of `rows` that are of Claude Code, a JSON array of ledger rows that no session
    counts yet; those in `replaced` are no longer counted."""
    SUMMARY.add(cursor, rows, replaced)
