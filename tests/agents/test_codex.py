"""Codex itself over `POST /v1/responses`: `codex exec` against every dialect."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.agents.program import INSTALLED, run
from tests.agents.tool_turn import (
    LAST_WORDS,
    LEAVE_A_PROOF,
    PROOF,
    SIGNATURE,
    THOUGHT,
    results,
    thoughts,
    tool_turn,
)
from tests.stack import Stack
from tests.upstream import Upstream

pytestmark = [pytest.mark.agents, pytest.mark.slow]

PROGRAM = INSTALLED / "@openai" / "codex" / "bin" / "codex.js"
CONFIG = """
model = "{model}"
model_provider = "gateway"

[model_providers.gateway]
name = "Gateway"
base_url = "{base_url}/v1"
env_key = "GATEWAY_API_KEY"
wire_api = "responses"
request_max_retries = 0
stream_max_retries = 0
"""
DIALECTS = ["claude-relayed", "claude-translated"]
Recorded = Callable[[str, int], tuple[int, int, int]]


class Codex:
    """The program with a home and a folder."""

    def __init__(self, gateway: Stack, key: str, place: Path) -> None:
        self.home, self.folder = place / "home", place / "work"
        self._base_url, self._key = gateway.base_url, key

    def ask(self, prompt: str, *, model: str) -> list[dict[str, Any]]:
        """Ask it once; the events that it prints as JSON lines."""
        configuration = self.home / ".codex" / "config.toml"
        configuration.parent.mkdir(parents=True, exist_ok=True)
        configuration.write_text(CONFIG.format(model=model, base_url=self._base_url))
        done = run(
            ["node", PROGRAM, "exec", "--json", "--skip-git-repo-check", *UNASKED, prompt],
            home=self.home,
            folder=self.folder,
            settings={"GATEWAY_API_KEY": self._key},
        )
        assert done.stdout, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]


UNASKED = ["--dangerously-bypass-approvals-and-sandbox"]  # nobody is there to be asked


@pytest.fixture
def codex(gateway: Stack, key: str, tmp_path: Path) -> Codex:
    return Codex(gateway, key, tmp_path)


def test_the_simulator_answers(codex: Codex, recorded: Recorded) -> None:
    events = codex.ask("Say hello.", model="claude-sonnet-5-5")

    assert _said(events)[-1].startswith("This is a simulated reply")
    assert recorded(_session(events), 1) == (1, *_usage(events))


@pytest.mark.parametrize("model", DIALECTS)
def test_a_text_turn(codex: Codex, upstream: Upstream, model: str, recorded: Recorded) -> None:
    script = upstream.answered_by(tool_turn)

    events = codex.ask(f"Say hello. {script}", model=model)
    (received,) = upstream.received(script)

    assert _said(events) == ["Nothing to do here."]
    assert received.json["stream"] is True
    assert (_usage(events), recorded(_session(events), 1)) == ((25, 12), (1, 25, 12))


@pytest.mark.parametrize("model", DIALECTS)
def test_a_turn_in_which_it_runs_a_tool(
    codex: Codex, upstream: Upstream, model: str, recorded: Recorded
) -> None:
    script = upstream.answered_by(tool_turn)

    events = codex.ask(f"{LEAVE_A_PROOF} {script}", model=model)
    first, second = upstream.received(script)

    assert _said(events)[-1] == LAST_WORDS
    assert (codex.folder / "proof.txt").read_text() == PROOF + "\n"
    assert results(first) == []
    assert PROOF in results(second)[0]
    assert [first.json["stream"], second.json["stream"]] == [True, True]
    assert recorded(_session(events), 2) == (2, 50, 24)


@pytest.mark.parametrize(
    ("model", "thought"),
    [
        ("gpt-6-sol", {"type": "thinking", "thinking": THOUGHT, "signature": SIGNATURE}),
        ("claude-reasoning", THOUGHT),
    ],
)
def test_thinking_comes_back_to_a_provider_that_wants_it(
    codex: Codex, upstream: Upstream, model: str, thought: Any
) -> None:
    script = upstream.answered_by(tool_turn)

    codex.ask(f"{LEAVE_A_PROOF} {script}", model=model)
    _, second = upstream.received(script)

    assert thoughts(second) == [thought]


def _said(events: list[dict[str, Any]]) -> list[str]:
    items = [event["item"] for event in events if event["type"] == "item.completed"]
    return [item["text"] for item in items if item["type"] == "agent_message"]


def _session(events: list[dict[str, Any]]) -> str:
    (session,) = [event["thread_id"] for event in events if event["type"] == "thread.started"]
    return str(session)


def _usage(events: list[dict[str, Any]]) -> tuple[int, int]:
    (usage,) = [event["usage"] for event in events if event["type"] == "turn.completed"]
    return usage["input_tokens"], usage["output_tokens"]
