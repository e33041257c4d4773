"""From `manage.py up` to the ledger, as an operator and a developer would go: apply a file, make a key, use the SDK."""

from __future__ import annotations

import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from anthropic import Anthropic

from gateway.supervisor.env_file import read_env
from tests import upstream as provider
from tests.stack import Stack
from tests.upstream import Upstream

FILE = """
providers:
  scripted: {{dialect: anthropic, base_url: "{base_url}", api_key: "sk-provider-0123456789abcdef"}}
models:
  claude-whole-stack:
    display_name: Claude Whole Stack
    aliases: [claude-whole-stack-latest]
    price: {{input: 3, output: 15, cache_read: 0.3, cache_write_5m: 3.75, cache_write_1h: 6}}
    routes:
      - {{provider: scripted, model: upstream-model}}
organizations:
  Acme: {{tier: enterprise}}
"""
USAGE = {**provider.USAGE, "input_tokens": 11, "cache_read_input_tokens": 7_001, "output_tokens": 13}
COST = Decimal("0.0023283")  # (11 * 3 + 7001 * 0.3 + 13 * 15) / 1,000,000 dollars


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream() as running:
        yield running


@pytest.fixture(scope="module")
def up(stack: Stack, upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The organization stays, as organizations do; the catalog is left as it was found."""
    file = tmp_path_factory.mktemp("whole-stack") / "gateway.yaml"
    file.write_text(FILE.format(base_url=upstream.base_url))
    stack.manage("apply", str(file))
    yield stack
    file.write_text("{}")
    stack.manage("apply", "--prune", str(file))


@pytest.fixture(scope="module")
def client(up: Stack) -> Anthropic:
    made = up.manage("create_api_key", "--organization", "Acme", "--name", "whole stack")
    return Anthropic(base_url=up.base_url, api_key=made.stdout.splitlines()[-1], max_retries=0)


def test_the_quickstart_key_talks_to_the_simulator(up: Stack) -> None:
    with Anthropic(base_url=up.base_url, api_key=up.api_key, max_retries=0) as quickstart:
        message = quickstart.messages.create(
            model="claude-sonnet-5-5", max_tokens=100, messages=[{"role": "user", "content": "Hello"}]
        )

    assert message.content[0].type == "text" and "simulated" in message.content[0].text


def test_what_the_provider_reported_is_in_the_ledger_within_five_seconds(
    up: Stack, client: Anthropic, upstream: Upstream
) -> None:
    whole = upstream.script(provider.reply(200, provider.message(usage=USAGE)))
    streamed = upstream.script(provider.streamed(provider.frames(provider.events(usage=USAGE))))

    for turn in range(30):
        asked: dict[str, Any] = {"model": "claude-whole-stack-latest", "max_tokens": 50}
        if turn % 2:
            client.messages.create(**asked, messages=[{"role": "user", "content": whole}])
        else:
            with client.messages.stream(**asked, messages=[{"role": "user", "content": streamed}]) as stream:
                stream.until_done()

    expected = (30, 30 * 11, 30 * 7_001, 30 * 13, 30 * COST)
    assert _eventually(up, EVENTS, expected) == expected
    for table in ("usage_minute", "usage_hour", "usage_day"):
        assert _eventually(up, SUMS.format(table=table), expected) == expected
    assert {request.header("x-api-key") for request in upstream.received(whole)} == {
        "sk-provider-0123456789abcdef"
    }


EVENTS = (
    "SELECT count(*), sum(input_tokens), sum(cache_read_tokens), sum(output_tokens), sum(cost)"
    " FROM usage_event WHERE model = 'claude-whole-stack' AND usage_source = 'reported' AND price_version IS NOT NULL"
)
SUMS = (
    "SELECT sum(requests), sum(input_tokens), sum(cache_read_tokens), sum(output_tokens), sum(cost)"
    " FROM {table} WHERE model = 'claude-whole-stack'"
)


def _eventually(up: Stack, question: str, expected: tuple[Any, ...]) -> tuple[Any, ...] | None:
    """The row that the database gives, as soon as it is the expected one, at the latest after five seconds."""
    deadline = time.monotonic() + 5
    url = read_env(Path(up.data_dir) / "stack.env")["DATABASE_URL"]
    with psycopg.connect(url, autocommit=True) as connection:
        while True:
            row = connection.execute(question.encode()).fetchone()
            if row == expected or time.monotonic() > deadline:
                return row
            time.sleep(0.05)
