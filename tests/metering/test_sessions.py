"""Sessions of Claude Code are summed up beside the rollups; other clients leave none."""

from __future__ import annotations

from decimal import Decimal

import pytest

from gateway.models import UsageSession
from gateway.token_usage import TokenUsage
from tests.metering.ledger import Ledger, usage_event
from tests.metering.test_reports import FLAT, MIDNIGHT, MINUTE

CLAUDE_CODE = "claude-cli/2.1.332 (external, cli)"


def test_requests_of_a_session_add_up_however_they_come(ledger: Ledger) -> None:
    usage = TokenUsage(1000, 2000, 3000, 4000, 5000)
    sent = [
        usage_event(
            MIDNIGHT + n * MINUTE,
            user_agent=CLAUDE_CODE,
            session_id="s1",
            usage=usage,
            price_version=ledger.price(**FLAT),
        )
        for n in range(3)
    ]
    ledger.record(*sent[:2])

    ledger.record(*sent[1:])

    (row,) = UsageSession.objects.values()
    assert (row["day"], row["session_id"], row["terminal"]) == (MIDNIGHT.date(), "s1", "cli")
    assert (row["requests"], row["cost"]) == (3, Decimal(45))
    names = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output")
    assert [row[f"{name}_tokens"] for name in names] == [3000, 6000, 9000, 12_000, 15_000]
    assert ledger.drift() == []


@pytest.mark.parametrize(
    ("user_agent", "terminals"),
    [
        (CLAUDE_CODE, ["cli"]),
        ("claude-cli/2.0.14 (external, claude-vscode, agent-sdk/0.1.14)", ["claude-vscode"]),
        ("claude-cli/1.0.83 (external,sdk-ts)", ["sdk-ts"]),
        ("claude-cli/0.2.107 (external)", ["unknown"]),
        ("claude-cli/0.2.107 (external, )", ["unknown"]),
        ("claude-cli/9", ["unknown"]),
        (f"claude-cli/9 (external, {'x' * 100})", ["x" * 64]),
        ("Anthropic/Python 2.11.0", []),
        ("not claude-cli/2 (external, cli)", []),
        ("", []),
    ],
)
def test_the_user_agent_tells_what_is_claude_code_and_where_it_runs(
    ledger: Ledger, user_agent: str, terminals: list[str]
) -> None:
    ledger.record(usage_event(user_agent=user_agent), usage_event(user_agent="curl/8"))

    assert list(UsageSession.objects.values_list("terminal", flat=True)) == terminals
