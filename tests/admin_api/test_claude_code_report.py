"""`usage_report/claude_code`: who worked with Claude Code on a day, as far as a gateway can see it."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from gateway.models import ApiKey
from gateway.token_usage import TokenUsage
from tests.admin_api.report import CLAUDE_CODE, DAY, HOUR, MONDAY, Office, office
from tests.metering.ledger import Ledger
from tests.people import Cast

CLI = "claude-cli/2.1.332 (external, cli)"
VSCODE = "claude-cli/2.1.332 (external, claude-vscode)"
DATE = f"{MONDAY:%Y-%m-%d}"
NONE = {"accepted": 0, "rejected": 0}


@pytest.fixture
def our(people: Cast, ledger: Ledger) -> Office:
    return office(people, ledger)


def test_a_member_is_told_by_address_with_sessions_models_and_cost(our: Office) -> None:
    price = our.ledger.price(
        input=1000, output=1000, cache_read=1000, cache_write_5m=1000, cache_write_1h=1000
    )
    common = {"user_agent": CLI, "price_version": price}
    our.use(session_id="s1", usage=TokenUsage(1, 20, 300, 4000, 50_000), **common)
    our.use(MONDAY + HOUR, session_id="s1", usage=TokenUsage(1), **common)
    our.use(session_id="s2", usage=TokenUsage(7), model="claude-haiku-4-5", **common)

    report = our.ask(CLAUDE_CODE, starting_at=DATE)

    assert report == {
        "data": [
            {
                "date": f"{DATE}T00:00:00Z",
                "actor": {"type": "user_actor", "email_address": "dev@example.com"},
                "organization_id": str(our.acme.id),
                "customer_type": "api",
                "terminal_type": "cli",
                "core_metrics": {
                    "num_sessions": 2,
                    "lines_of_code": {"added": 0, "removed": 0},
                    "commits_by_claude_code": 0,
                    "pull_requests_by_claude_code": 0,
                },
                "tool_actions": dict.fromkeys(
                    ["edit_tool", "multi_edit_tool", "write_tool", "notebook_edit_tool"], NONE
                ),
                "model_breakdown": [
                    {
                        "model": "claude-haiku-4-5",
                        "tokens": {"input": 7, "output": 0, "cache_read": 0, "cache_creation": 0},
                        "estimated_cost": {"currency": "USD", "amount": 0.7},
                    },
                    {
                        "model": "claude-sonnet-4-5",
                        "tokens": {"input": 2, "output": 50_000, "cache_read": 20, "cache_creation": 4300},
                        "estimated_cost": {"currency": "USD", "amount": 5432.2},
                    },
                ],
            }
        ],
        "has_more": False,
        "next_page": None,
    }


def test_keys_of_one_person_are_one_actor_and_others_stand_for_themselves(our: Office) -> None:
    second = ApiKey.objects.create(
        organization=our.acme, kind="api", name="Dev's second", digest=b"2", user_id=our.account
    )
    for key, session in ((our.of_dev, "a"), (second, "b"), (our.of_robot, "c"), (our.of_nobody, "d")):
        our.use(api_key_id=key.id, session_id=session, user_agent=CLI)

    data = our.walk(CLAUDE_CODE, starting_at=DATE)

    told = [(*one["actor"].values(), one["core_metrics"]["num_sessions"]) for one in data]
    assert sorted(told) == [
        ("api_actor", "Robot", 1),
        ("api_actor", "Server", 1),
        ("user_actor", "dev@example.com", 2),
    ]


def test_each_terminal_is_told_apart_and_other_clients_are_left_out(our: Office) -> None:
    our.use(session_id="s1", user_agent=CLI)
    our.use(session_id="s2", user_agent=VSCODE)
    our.use(session_id="s3", user_agent="Anthropic/Python 2.11.0")

    data = our.walk(CLAUDE_CODE, starting_at=DATE)

    assert [one["terminal_type"] for one in data] == ["claude-vscode", "cli"]


def test_a_request_without_a_session_counts_as_none(our: Office) -> None:
    our.use(session_id="", user_agent=CLI)

    (one,) = our.walk(CLAUDE_CODE, starting_at=DATE)

    assert one["core_metrics"]["num_sessions"] == 0
    assert one["model_breakdown"][0]["tokens"]["input"] == 100


def test_only_this_day_of_this_organization_is_told(our: Office) -> None:
    our.use(MONDAY - HOUR, session_id="s1", user_agent=CLI)
    our.use(MONDAY + DAY, session_id="s2", user_agent=CLI)
    our.use(session_id="s3", user_agent=CLI, organization_id=our.umbrella.id)

    assert our.walk(CLAUDE_CODE, starting_at=DATE) == []
    (theirs,) = our.walk(CLAUDE_CODE, starting_at=DATE, secret=our.other_secret)
    assert theirs["actor"]["type"] == "api_actor"  # a key of ours, of whom they learn nothing
    assert theirs["actor"]["api_key_name"] == our.of_dev.id


def test_all_pages_together_are_the_large_page(our: Office) -> None:
    for key in (our.of_dev, our.of_robot, our.of_nobody):
        for n, terminal in enumerate((CLI, VSCODE)):
            our.use(api_key_id=key.id, session_id=f"s{n}", user_agent=terminal, model=f"m{n}")
            our.use(api_key_id=key.id, session_id=f"s{n}", user_agent=terminal, model="m2")

    small = our.walk(CLAUDE_CODE, starting_at=DATE, limit=1)

    assert small == our.walk(CLAUDE_CODE, starting_at=DATE, limit=1000)
    assert [len(one["model_breakdown"]) for one in small] == [2] * 6


def test_a_page_costs_two_queries(our: Office, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    for key in (our.of_dev, our.of_robot, our.of_nobody):
        our.use(api_key_id=key.id, session_id="s", user_agent=CLI)

    with django_assert_num_queries(2):  # the key with its organization, the page
        assert len(our.ask(CLAUDE_CODE, starting_at=DATE)["data"]) == 3


def test_bad_input_is_refused_by_its_name(our: Office) -> None:
    our.use(session_id="s1", user_agent=CLI)
    our.use(session_id="s2", user_agent=VSCODE)
    page = our.ask(CLAUDE_CODE, starting_at=DATE, limit=1)["next_page"]
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("starting_at", {}),
        ("starting_at", {"starting_at": "2026-13-01"}),
        ("starting_at", {"starting_at": f"{DATE}T00:00:00Z"}),
        ("limit", {"starting_at": DATE, "limit": 0}),
        ("limit", {"starting_at": DATE, "limit": 1001}),
        ("page", {"starting_at": DATE, "page": "page_1"}),
        ("page", {"starting_at": f"{MONDAY + DAY:%Y-%m-%d}", "page": page}),
    ]

    assert [our.refused(CLAUDE_CODE, **asked).split(":")[0] for _, asked in wrong] == [
        field for field, _ in wrong
    ]
