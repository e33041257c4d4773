"""The page of one request: its timeline, what it cost and why, why it was refused, and how to send it again."""

from __future__ import annotations

import ast
import json
import re
import shlex
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from django.test import Client

from gateway import price
from gateway.models import Price, UsageEvent
from gateway.token_usage import TokenUsage
from tests.admin_api.refused import refused
from tests.dashboard.logged import key_of, logged
from tests.dashboard.test_pages import as_
from tests.people import Cast

pytestmark = pytest.mark.django_db

RATES = {
    "input": Decimal("3"),
    "output": Decimal("15"),
    "cache_read": Decimal("0.3"),
    "cache_write_5m": Decimal("3.75"),
    "cache_write_1h": Decimal("6"),
    "batch_factor": Decimal("0.5"),
    "web_search": Decimal("10"),
}


def opened(client: Client, people: Cast, row: Any, query: str = "") -> str:
    answer = as_(client, people.ada).get(f"/logs/{row.request_id}{query}")
    assert answer.status_code == 200
    return answer.content.decode()


def charged(key: Any, version: Price, **changed: Any) -> UsageEvent:
    """A request as the drain would charge it."""
    counts = {
        "input_tokens": 1234,
        "cache_read_tokens": 7,
        "cache_write_5m_tokens": 0,
        "cache_write_1h_tokens": 11,
        "output_tokens": 999,
    }
    tier = changed.get("service_tier", "standard")
    charges = price.charges(
        price.rates_of({name: getattr(version, name) for name in vars(version) if not name.startswith("_")}),
        TokenUsage(**counts),
        tier,
        2,
    )
    return logged(
        key, price_version=version.id, web_search_requests=2, cost=charges.total, **counts, **changed
    )


def table(page: str) -> list[list[str]]:
    (body,) = re.findall(r'<table class="rows log-price".*?</table>', page, re.DOTALL)
    return [
        [re.sub(r"<[^>]+>", "", cell) for cell in re.findall(r"<t[hd].*?</t[hd]>", line)]
        for line in re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL)
    ]


@pytest.mark.parametrize(
    ("tier", "total", "output"),
    [("standard", "$0.0387551", "$0.014985"), ("batch", "$0.02937755", "$0.0074925")],
)
def test_the_cost_is_the_sum_of_what_was_counted_at_the_prices_of_then(
    client: Client, people: Cast, tier: str, total: str, output: str
) -> None:
    version = Price.objects.create(model_name="claude-sonnet-5-5", **RATES)
    row = charged(key_of(people.acme), version, service_tier=tier)

    page = opened(client, people, row)

    lines = table(page)
    assert [line[:3] for line in lines[1:-1]] == [
        ["Uncached input", "1,234", "$3.00 per million"],
        ["Cache read", "7", "$0.30 per million"],
        ["Cache write, 1 hour", "11", "$6.00 per million"],
        ["Output", "999", "$15.00 per million"],
        ["Web searches", "2", "$10.00 per thousand"],
    ]
    assert lines[4][3] == output
    assert lines[-1] == ["Sum", "", "", total]
    assert sum(Decimal(line[3].lstrip("$")) for line in lines[1:-1]) == row.cost
    assert f"Price version {version.id}." in page
    assert ("50% of the price" in page) == (tier == "batch")


def test_a_long_prompt_is_said_to_cost_what_long_prompts_cost(client: Client, people: Cast) -> None:
    long = {f"long_context_{name}": RATES[name] * 2 for name in price.CLASSES}
    version = Price.objects.create(
        model_name="claude-sonnet-5-5", **RATES, long_context_threshold=1000, **long
    )

    page = opened(client, people, charged(key_of(people.acme), version))

    assert table(page)[1][2] == "$6.00 per million"
    assert "longer than 1,000 tokens" in page


def test_what_had_no_price_is_not_charged_and_says_so(client: Client, people: Cast) -> None:
    page = opened(client, people, logged(key_of(people.acme), price_version=None, cost=Decimal(0)))

    assert "The model had no price then" in page
    assert table(page)[-1] == ["Sum", "", "", "$0.00"]


def test_the_timeline_tells_each_provider_that_was_asked(client: Client, people: Cast) -> None:
    key = key_of(people.acme)
    first = logged(
        key,
        ago=100,
        status=529,
        error_type="overloaded_error",
        stop_reason="",
        checked_ms=3,
        admitted_ms=5,
        latency_ms=500,
        time_to_first_token_ms=None,
        input_tokens=0,
        output_tokens=0,
        cost=Decimal(0),
    )
    logged(
        key,
        before=first.at,
        ago=-0.51,
        request_id=first.request_id,
        attempt=2,
        provider="other",
        latency_ms=2000,
        time_to_first_token_ms=800,
    )

    page = opened(client, people, first)

    steps = [
        re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", step)).strip()
        for step in re.findall(r'<li class="log-step">(.*?)</li>', page, re.DOTALL)
    ]
    assert steps[:3] == [
        "0 ms Began Streamed request to messages",
        "3 ms Checked Key, address and body are right.",
        "5 ms Admitted Limits and budgets have room, asking took 2 ms.",
    ]
    assert re.fullmatch(
        r"5 ms Asked simulator claude-sonnet-5-5: 529 overloaded_error, took 495 ms", steps[3]
    )
    assert re.fullmatch(r"513 ms Asked other claude-sonnet-5-5: answered 200, took 1.5 s", steps[4])
    assert steps[5:] == ["800 ms First token The answer began.", "2.0 s Ended Stop reason end_turn."]
    assert re.findall(r'<rect class="log-span-bad" x="(\d+)" width="(\d+)"', page) == [("2", "248")]


def test_an_error_says_what_it_means_and_which_id_to_tell(client: Client, people: Cast) -> None:
    row = logged(key_of(people.acme), status=504, error_type="timeout_error", stop_reason="")

    page = opened(client, people, row)

    assert "504 timeout_error" in page
    assert "The provider did not answer in time." in page
    assert f'<code id="error-id" class="error-id">{row.request_id}</code>' in page


def test_a_refused_request_says_which_limit_it_met(client: Client, people: Cast) -> None:
    block = refused(key_of(people.acme))

    page = opened(client, people, block)

    assert "the organization&#x27;s rate limit of 80,000 output tokens per minute" in page
    assert "before any provider was asked" in page
    assert "Send it again" not in page


def test_names_of_others_are_text(client: Client, people: Cast) -> None:
    nasty = "</code><script>alert(1)</script>"
    row = logged(
        key_of(people.acme, nasty),
        model_requested=nasty,
        user_agent=nasty,
        session_id=nasty,
        error_type=nasty[:60],
    )

    for query in ("", "?as=python", "?as=typescript"):
        page = opened(client, people, row, query)
        assert "<script>alert" not in page


@pytest.mark.parametrize(
    ("endpoint", "stream", "python", "typescript"),
    [
        ("messages", True, "messages.stream(", "messages.stream("),
        ("messages", False, "messages.create(", "messages.create("),
        ("messages/count_tokens", False, "messages.count_tokens(", "messages.countTokens("),
        ("chat/completions", True, "chat.completions.create(", "chat.completions.create("),
        ("responses", False, "responses.create(", "responses.create("),
    ],
)
def test_it_can_be_copied_as_code_whatever_the_model_is_called(
    client: Client, people: Cast, endpoint: str, stream: bool, python: str, typescript: str
) -> None:
    model = 'it\'s $(a) "model" `x`'
    row = logged(key_of(people.acme), endpoint=endpoint, stream=stream, model_requested=model)
    code = {
        key: copied(opened(client, people, row, f"?as={key}"), key)
        for key in ("curl", "python", "typescript")
    }

    words = shlex.split(code["curl"].replace("\\\n", " "))
    body = json.loads(words[words.index("--data") + 1])
    assert words[1].endswith(f"/v1/{endpoint}")
    assert (body["model"], body.get("stream", False)) == (model, stream)
    tree = ast.parse(code["python"])
    assert model in {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    assert python in code["python"]
    assert typescript in code["typescript"]
    assert json.dumps(model) in code["typescript"]


def copied(page: str, key: str) -> str:
    (code,) = re.findall(rf'<code id="copy-{key}">(.*?)</code>', page, re.DOTALL)
    return unescape(code)


def test_it_opens_in_the_playground_and_can_be_shared(client: Client, people: Cast) -> None:
    row = logged(key_of(people.acme))

    page = opened(client, people, row)

    assert f'href="/playground?request={row.request_id}"' in page
    assert re.search(rf'<code id="share">https?://[^<]+/logs/{row.request_id}</code>', page)


def test_a_page_costs_the_same_whatever_it_shows(
    client: Client, people: Cast, django_assert_max_num_queries: Any
) -> None:
    row = logged(key_of(people.acme))
    for _ in range(9):
        logged(key_of(people.acme), request_id=row.request_id, status=529)
    as_(client, people.ada)

    with django_assert_max_num_queries(8):
        client.get(f"/logs/{row.request_id}")
