"""Cost: dollars are the ledger's to the last digit, with the prices that made them."""

from __future__ import annotations

import datetime
import re
from collections import defaultdict
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from admin_api.queries.recent_spend import recent_spend
from admin_api.queries.sums import Question
from dashboard.cost.price_lines import PriceLine, price_lines
from dashboard.frame import figures
from gateway.models import UsageEvent
from gateway.token_usage import TokenUsage
from tests.admin_api.report import COST, DAY, HOUR, MINUTE, MONDAY, TODAY, Office, office
from tests.admin_api.test_sums import key_ids
from tests.dashboard.test_pages import as_
from tests.dashboard.test_usage_page import WEEK, file, page, rows
from tests.metering.ledger import Ledger
from tests.people import Cast

MILLION = 1_000_000
M = "metering-test-m"  # prices of which the ledger removes in the end


def priced(ledger: Ledger, model: str, at: datetime.datetime, **rates: Any) -> int:
    """A version from then on, where the ledger's own connection finds it."""
    version = ledger.price(**rates)
    ledger.connection.execute(
        "UPDATE gateway_price SET model_name = %s, effective_at = %s WHERE id = %s", [model, at, version]
    )
    return version


@pytest.fixture
def our(people: Cast, ledger: Ledger) -> Office:
    made = office(people, ledger)
    price = ledger.price(input="3.0000000001", output="0.0000000007", web_search="9.9999999999")
    for number in range(30):
        made.use(
            MONDAY - number * 5 * HOUR + 17 * MINUTE,
            usage=TokenUsage(1001 + number, 7 * number, 3 * number, number % 5, 31 + number),
            model=("claude-sonnet-4-5", "gpt-ours")[number % 2],
            api_key_id=key_ids(made)[number % 3],
            workspace_id=(made.default, made.lab)[number % 2].id,
            service_tier=("standard", "batch")[number % 4 == 0],
            web_search_requests=number % 2,
            price_version=price,
        )
    theirs = {"organization_id": people.umbrella.id, "api_key_id": "apikey_u", "workspace_id": "wrkspc_u"}
    made.use(MONDAY, **theirs, model="model-of-umbrella", price_version=price)
    return made


def billed(text: str, cell: int = 0) -> dict[str, Decimal]:
    """Exact dollars by the name of the row, which stand in a title."""
    table = text[text.index('<table class="rows">') :]
    table = table[: table.index("</table>")]
    found = {}
    for name, cells in re.findall(r'<th scope="row">(.*?)</th>(.*?)</tr>', table, re.S):
        titles = re.findall(r'title="\$([\d,.]+)"', cells)
        found[re.sub(r"<span.*|<[^>]+>", "", name).strip()] = Decimal(titles[cell].replace(",", ""))
    return found


@pytest.mark.parametrize("group", ["model", "token_type", "tool", "workspace", "api_key", "member"])
def test_page_and_file_and_api_and_ledger_say_the_same_to_the_last_digit(
    our: Office, client: Client, people: Cast, group: str
) -> None:
    as_(client, people.ada)
    events = UsageEvent.objects.filter(
        organization_id=our.acme.id, at__gte=MONDAY - 6 * DAY, at__lt=MONDAY + DAY
    )
    spent = sum(one.cost for one in events)
    told = our.walk(COST, starting_at=MONDAY - 6 * DAY, ending_at=MONDAY + DAY, group_by=["workspace_id"])
    of_api = defaultdict(Decimal)
    for bucket in told:
        for one in bucket["results"]:
            of_api[bucket["starting_at"]] += Decimal(one["amount"]) / 100
    of_file = defaultdict(Decimal)
    for line in file(client, "/cost.csv", **WEEK, group=group):
        of_file[line["starting_at"]] += Decimal(line["cost_usd"])
        charges = [name for name in line if name.endswith("_cost_usd")]
        assert Decimal(line["cost_usd"]) == sum(Decimal(line[name]) for name in charges)
    assert dict(of_file) == dict(of_api)
    assert sum(of_file.values()) == spent
    text = page(client, "/cost", **WEEK, group=group)
    shown = billed(text)
    assert shown.pop("All") == spent
    assert sum(shown.values()) == spent
    assert f'class="chart-total" title="${spent.normalize():,f}"' in text


def test_kinds_of_tokens_are_those_of_the_api(our: Office, client: Client, people: Cast) -> None:
    as_(client, people.ada)
    told = our.walk(COST, starting_at=MONDAY - 6 * DAY, ending_at=MONDAY + DAY, group_by=["description"])
    of_api = defaultdict(Decimal)
    for bucket in told:
        for one in bucket["results"]:
            of_api[one["token_type"] or one["cost_type"]] += Decimal(one["amount"]) / 100
    shown = billed(page(client, "/cost", **WEEK, group="token_type"))
    assert shown["Uncached input"] == of_api["uncached_input_tokens"]
    assert shown["Cache read"] == of_api["cache_read_input_tokens"]
    assert shown["Cache write, 1 h"] == of_api["cache_creation.ephemeral_1h_input_tokens"]
    assert shown["Output"] == of_api["output_tokens"]
    assert shown["Web searches"] == of_api["web_search"]


def test_each_line_is_its_quantity_at_the_price_that_held(people: Cast, ledger: Ledger) -> None:
    our = office(people, ledger)
    change = MONDAY + 10 * HOUR + 30 * MINUTE
    first, second = priced(ledger, M, MONDAY - 9 * DAY), priced(ledger, M, change, input=4)
    usage = TokenUsage(input_tokens=MILLION, output_tokens=1000)
    our.use(change - MINUTE, model=M, usage=usage, price_version=first)
    our.use(change, model=M, usage=usage, price_version=second)
    our.use(change + HOUR, model=M, usage=usage, price_version=second)
    our.use(change + HOUR, model="free", usage=usage, price_version=None)
    lines = price_lines(Question(our.acme, [MONDAY, MONDAY + DAY]))
    told = [
        (line.model, line.kind, line.quantity, line.unit_price, line.version, line.billed) for line in lines
    ]
    assert told == [
        (M, "Uncached input", MILLION, Decimal(3), first, Decimal(3)),
        (M, "Uncached input", 2 * MILLION, Decimal(4), second, Decimal(8)),
        (M, "Output", 1000, Decimal(15), first, Decimal("0.015")),
        (M, "Output", 2000, Decimal(15), second, Decimal("0.03")),
        ("free", "Uncached input", MILLION, None, None, Decimal(0)),
        ("free", "Output", 1000, None, None, Decimal(0)),
    ]
    assert [line.is_as_priced for line in lines] == [True] * 4 + [False] * 2


def lines_of(our: Office, **event: Any) -> dict[str, PriceLine]:
    """Of one event alone."""
    our.use(MONDAY + HOUR, **{"model": M, **event})
    found = price_lines(Question(our.acme, [MONDAY, MONDAY + DAY], (), {"model": [event.get("model", M)]}))
    return {line.kind: line for line in found}


def test_the_discount_of_batches_and_what_caches_saved_are_exact(people: Cast, ledger: Ledger) -> None:
    our = office(people, ledger)
    version = priced(ledger, M, MONDAY - 9 * DAY, web_search=10)
    usage = TokenUsage(MILLION, 10 * MILLION, MILLION, MILLION, MILLION)
    found = lines_of(our, usage=usage, service_tier="batch", price_version=version, web_search_requests=500)
    assert {
        kind: (line.unit_price, line.billed, line.listed, line.uncached) for kind, line in found.items()
    } == {
        "Uncached input": (Decimal("1.5"), Decimal("1.5"), Decimal(3), Decimal("1.5")),
        "Cache write, 5 min": (Decimal("1.875"), Decimal("1.875"), Decimal("3.75"), Decimal("1.5")),
        "Cache write, 1 h": (Decimal(3), Decimal(3), Decimal(6), Decimal("1.5")),
        "Cache read": (Decimal("0.15"), Decimal("1.5"), Decimal(3), Decimal(15)),
        "Output": (Decimal("7.5"), Decimal("7.5"), Decimal(15), Decimal("7.5")),
        "Web searches": (Decimal(10), Decimal(5), Decimal(5), Decimal(5)),
    }
    assert all(line.is_as_priced for line in found.values())


def test_long_prompts_have_prices_of_their_own(people: Cast, ledger: Ledger) -> None:
    our = office(people, ledger)
    long = {
        f"long_context_{name}": 10
        for name in ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")
    }
    usual = priced(ledger, M, MONDAY - 9 * DAY, long_context_threshold=200_000, **long)
    found = lines_of(our, usage=TokenUsage(input_tokens=MILLION), price_version=usual)["Uncached input"]
    assert (found.is_long, found.unit_price, found.billed, found.is_as_priced) == (
        True,
        Decimal(10),
        Decimal(10),
        True,
    )
    odd = priced(ledger, f"{M}-odd", MONDAY - 8 * DAY, long_context_threshold=272_000, **long)
    found = lines_of(our, model=f"{M}-odd", usage=TokenUsage(input_tokens=MILLION), price_version=odd)[
        "Uncached input"
    ]
    assert (found.unit_price, found.mean) == (None, Decimal(10))


def test_the_page_shows_price_version_and_savings(people: Cast, ledger: Ledger, client: Client) -> None:
    our = office(people, ledger)
    version = priced(ledger, M, MONDAY - 9 * DAY)
    usage = TokenUsage(input_tokens=MILLION, cache_read_tokens=10 * MILLION)
    our.use(MONDAY, model=M, usage=usage, service_tier="batch", price_version=version)
    text = page(as_(client, people.dev), "/cost", **WEEK)
    assert stat(text, "Billed") == "$3.00"
    assert stat(text, "At list price") == "$6.00"
    assert stat(text, "Batch discount") == "$3.00"
    assert stat(text, "Cache savings") == "$13.50"
    assert "$1.50 / MTok" in text and f"version {version}, " in text
    assert "New budget" not in text and "/cost/budgets" not in text


def stat(text: str, label: str) -> str:
    found = re.search(rf'stat-label">{label}</dt>\s*<dd class="stat-value"[^>]*>([^<]+)<', text)
    assert found, label
    return found[1]


def test_the_month_and_its_forecast_are_those_of_the_overview(
    people: Cast, ledger: Ledger, client: Client
) -> None:
    our = office(people, ledger)
    version = priced(ledger, M, MONDAY - 40 * DAY)
    our.use(TODAY - DAY, model=M, usage=TokenUsage(input_tokens=7 * MILLION), price_version=version)
    text = page(as_(client, people.ada), "/cost", range="1h")
    spent = recent_spend(our.acme, timezone.now())
    assert stat(text, "This month so far") == figures.brief_money(spent.month)
    assert "at $21.00 a day" in text
    come_to = spent.forecast(timezone.now())
    assert come_to is not None and abs(Decimal(stat(text, "Forecast of the month")[1:]) - come_to) < 1


def test_cost_is_not_for_plain_users(people: Cast, client: Client) -> None:
    as_(client, people.uma)
    assert [client.get(path).status_code for path in ("/cost", "/cost.csv")] == [403, 403]
    assert ">Cost<" not in client.get("/usage").content.decode()


def test_a_filter_of_sessions_over_a_month_is_told_to_be_too_much(
    our: Office, client: Client, people: Cast
) -> None:
    text = page(as_(client, people.ada), "/cost", **WEEK, session_id="s")
    assert "choose a shorter time" in text
    assert stat(text, "Billed") == "$0.00"


def test_a_page_asks_the_database_few_times(
    our: Office, client: Client, people: Cast, django_assert_max_num_queries: Any
) -> None:
    as_(client, people.ada)
    with django_assert_max_num_queries(23):
        page(client, "/cost", **WEEK, group="api_key", compare="1")


def test_the_table_is_ordered_by_what_its_head_says(our: Office, client: Client, people: Cast) -> None:
    as_(client, people.ada)
    text = page(client, "/cost", **WEEK, group="api_key", sort="requests")
    counts = [int(cells[1]) for name, cells in rows(text).items() if name != "All"][:3]
    assert counts == sorted(counts, reverse=True)
    assert 'aria-sort="descending"><a class="sort" href="' in text
