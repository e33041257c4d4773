"""A gateway from `manage.py up` between the agents and a scripted provider of each dialect."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from gateway.supervisor.env_file import read_env
from tests.stack import Stack
from tests.upstream import Upstream

FILE = """
providers:
  relayed: {{dialect: anthropic, base_url: "{address}", api_key: "sk-provider-0123456789abcdef"}}
  translated: {{dialect: openai, base_url: "{address}/v1", api_key: "sk-provider-0123456789abcdef"}}
  reasoning: {{preset: deepseek, base_url: "{address}/v1", api_key: "sk-provider-0123456789abcdef"}}
models:
  claude-relayed: {{routes: [{{provider: relayed, model: claude-relayed}}]}}
  claude-translated: {{max_output_tokens: 16384, routes: [{{provider: translated, model: upstream-model}}]}}
  # Claude Code takes this one for Opus 5.5, to which it says more than to a model that it does not know.
  claude-opus-5-5-translated: {{routes: [{{provider: translated, model: upstream-model}}]}}
  claude-reasoning: {{routes: [{{provider: reasoning, model: deepseek-reasoner}}]}}
  # Codex knows models by these names, and gives each other tools.
  gpt-5.5: {{aliases: [claude-gpt-5.5], routes: [{{provider: translated, model: upstream-model}}]}}
  gpt-6-sol: {{routes: [{{provider: relayed, model: claude-opus-5-5}}]}}
organizations:
  Agents: {{tier: enterprise}}
"""
TOTALS = (
    "SELECT count(*), sum(input_tokens + cache_read_tokens), sum(output_tokens)"
    " FROM usage_event WHERE session_id = %s"
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not os.environ.get("AGENT_TESTS"):
        skipped = pytest.mark.skip(reason="run by `make test-agents`, which installs the agents")
        for item in items:
            if item.get_closest_marker("agents"):
                item.add_marker(skipped)


@pytest.fixture(scope="session")
def upstream() -> Iterator[Upstream]:
    with Upstream() as running:
        yield running


@pytest.fixture(scope="session")
def fresh(scratch_folders: Callable[[str], Path]) -> Iterator[Stack]:
    """A gateway as it is after its first start: the simulator, and the key in the banner."""
    stack = Stack(scratch_folders("agents") / "data")
    stack.start()
    try:
        yield stack
    finally:
        stack.stop()


@pytest.fixture(scope="session")
def gateway(fresh: Stack, upstream: Upstream) -> Stack:
    """The same with the scripted providers."""
    file = fresh.data_dir.parent / "gateway.yaml"
    file.write_text(FILE.format(address=upstream.base_url))
    fresh.manage("apply", str(file))
    return fresh


@pytest.fixture(scope="session")
def key(gateway: Stack) -> str:
    """A key without limits."""
    made = gateway.manage("create_api_key", "--organization", "Agents", "--name", "agents")
    return made.stdout.splitlines()[-1]


@pytest.fixture(scope="session")
def recorded(fresh: Stack) -> Callable[[str, int], tuple[int, int, int]]:
    """The ledger's sums for a session: requests, input and output tokens, once it has so many requests."""

    def read(session: str, requests: int) -> tuple[int, int, int]:
        url = read_env(fresh.data_dir / "stack.env")["DATABASE_URL"]
        deadline = time.monotonic() + 5
        with psycopg.connect(url, autocommit=True) as connection:
            while True:
                count, given, made = connection.execute(TOTALS, [session]).fetchone() or (0, 0, 0)
                if count >= requests or time.monotonic() > deadline:
                    return count, int(given or 0), int(made or 0)
                time.sleep(0.05)

    return read
