"""Sessions of Claude Code, which a report of its own tells of: one row per day, session, terminal and model.

Raised as the rollups are, by the same rows in the same transaction. Claude Code is known by its user agent,
`claude-cli/2.1.332 (external, cli)`; the second thing in the parenthesis is where it runs: a terminal (`cli`),
an editor (`claude-vscode`), or a program that embeds it (`sdk-ts`, `sdk-py`).
"""

from __future__ import annotations

import psycopg
from psycopg import sql

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


def add(cursor: psycopg.Cursor, rows: str) -> None:
    """Raise the sessions by `rows`, a JSON array of ledger rows of Claude Code that no session counts yet."""
    cursor.execute(_UPSERT, [rows])


def _upsert() -> sql.SQL:
    """In the order of the key, as in `rollups`."""
    places = ", ".join(str(n + 1) for n in range(len(KEY)))
    raised = ", ".join(f"{name} = total.{name} + excluded.{name}" for name in SUMS)
    return sql.SQL(
        f"INSERT INTO usage_session AS total ({', '.join((*KEY, *SUMS))})"
        f" SELECT {', '.join((*KEY.values(), *SUMS.values()))}"
        " FROM json_populate_recordset(NULL::usage_event, %s::json)"
        f" GROUP BY {places} ORDER BY {places}"
        f" ON CONFLICT ({', '.join(KEY)}) DO UPDATE SET {raised}"
    )


_UPSERT = _upsert()
