"""Usage: its figures are the ledger's, whatever is selected, and the same on the page, in the file and in the API."""

from __future__ import annotations

import csv
import datetime
import io
import re
from collections import defaultdict
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from gateway.models import ApiKey, UsageEvent
from gateway.token_usage import TokenUsage
from tests.admin_api.report import DAY, HOUR, MINUTE, MONDAY, USAGE, Office, office
from tests.admin_api.test_sums import key_ids
from tests.dashboard.test_pages import as_, stats
from tests.metering.ledger import Ledger
from tests.people import Cast

WEEK = {"start": f"{MONDAY - 6 * DAY:%Y-%m-%dT%H:%MZ}", "end": f"{MONDAY + DAY:%Y-%m-%dT%H:%MZ}"}
NUMBERS = {
    "uncached_input_tokens": "input_tokens",
    "ephemeral_5m_input_tokens": "cache_write_5m_tokens",
    "ephemeral_1h_input_tokens": "cache_write_1h_tokens",
    "cache_read_input_tokens": "cache_read_tokens",
    "output_tokens": "output_tokens",
    "web_search_requests": "web_search_requests",
}


@pytest.fixture
def our(people: Cast, ledger: Ledger) -> Office:
    """A week of Acme with odd figures, and another organization's."""
    made = office(people, ledger)
    price = ledger.price(input="3.0000000001", cache_read="0.1", web_search=10)
    for number in range(40):
        made.use(
            MONDAY - number * 4 * HOUR + 17 * MINUTE,
            usage=TokenUsage(1000 + number, 7 * number, 3 * number, number % 5, 31 + number),
            model=("claude-sonnet-4-5", "gpt-ours", "=cmd|' /C calc'!A0")[number % 3],
            api_key_id=key_ids(made)[number % 3],
            workspace_id=(made.default, made.lab)[number % 2].id,
            service_tier=("standard", "batch")[number % 7 == 0],
            web_search_requests=number % 2,
            status=200 if number % 9 else 529,
            price_version=price,
        )
    theirs = {"organization_id": people.umbrella.id, "api_key_id": "apikey_u", "workspace_id": "wrkspc_u"}
    made.use(MONDAY, **theirs, model="model-of-umbrella")
    return made


def page(client: Client, /, path: str = "/usage", **query: Any) -> str:
    answer = client.get(path, query)
    assert answer.status_code == 200, answer.content
    return answer.content.decode()


def file(client: Client, /, path: str = "/usage.csv", **query: Any) -> list[dict[str, str]]:
    answer = client.get(path, query)
    assert answer.status_code == 200
    return list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode(), newline="")))


def rows(text: str) -> dict[str, list[str]]:
    """Cells of the first table by the name of the row; where a title tells the exact figure, that."""
    table = text[text.index('<table class="rows') :]
    table = table[: table.index("</table>")]
    return {
        re.sub(r"<span.*|<[^>]+>", "", name).strip(): [
            _exact(head) or re.sub(r'<span class="row-note">.*?</span>|<[^>]+>', "", cell).strip()
            for head, cell in re.findall(r"<td([^>]*)>(.*?)</td>", cells)
        ]
        for name, cells in re.findall(r'<th scope="row">(.*?)</th>(.*?)</tr>', table, re.S)
    }


def _exact(head: str) -> str:
    found = re.search(r'title="([^"]*)"', head)
    return found[1] if found else ""


def number(text: str) -> int:
    return int(text.replace(",", ""))


GROUPS = {
    "model": "model",
    "api_key": "api_key_id",
    "workspace": "workspace_id",
    "member": "account_id",
    "service_tier": "service_tier",
}


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("wanted", [{}, {"model": "gpt-ours"}, {"service_tier": "batch"}])
def test_page_and_file_and_api_and_ledger_say_the_same(
    our: Office, client: Client, people: Cast, group: str, wanted: dict[str, str]
) -> None:
    as_(client, people.ada)
    query = {**WEEK, **wanted, "group": group}
    column = GROUPS[group]
    told = our.walk(
        USAGE,
        starting_at=MONDAY - 6 * DAY,
        ending_at=MONDAY + DAY,
        bucket_width="1d",
        group_by=[column],
        **{f"{name}s": [value] for name, value in wanted.items()},
    )
    of_api = {
        (bucket["starting_at"], one[column] or ""): _flat(one) for bucket in told for one in bucket["results"]
    }
    of_file = {
        (line["starting_at"], _public(our, line[column])): [int(line[name]) for name in NUMBERS]
        for line in file(client, **query)
    }
    assert of_file == of_api

    events = UsageEvent.objects.filter(
        organization_id=our.acme.id, at__gte=MONDAY - 6 * DAY, at__lt=MONDAY + DAY
    )
    held = list(events.filter(**wanted).values())
    shown = rows(page(client, **query))["All"]
    tokens = [name for name in NUMBERS.values() if name.endswith("tokens")]
    assert number(shown[0]) == sum(one[name] for one in held for name in tokens)
    assert number(shown[5]) == len(held)
    assert number(shown[7]) == sum(one["web_search_requests"] for one in held)
    assert sum(Decimal(line["cost_usd"]) for line in file(client, **query)) == sum(
        one["cost"] for one in held
    )
    assert sum(int(line["requests"]) for line in file(client, **query)) == len(held)


def _flat(one: dict[str, Any]) -> list[int]:
    return [
        one["uncached_input_tokens"],
        one["cache_creation"]["ephemeral_5m_input_tokens"],
        one["cache_creation"]["ephemeral_1h_input_tokens"],
        one["cache_read_input_tokens"],
        one["output_tokens"],
        one["server_tool_use"]["web_search_requests"],
    ]


def _public(our: Office, value: str) -> str:
    """The file tells the default workspace by its id, and formulas with an apostrophe."""
    return "" if value == our.default.id else value.removeprefix("'")


def test_each_row_is_its_groups_sum_and_leads_to_it_alone(our: Office, client: Client, people: Cast) -> None:
    as_(client, people.ada)
    text = page(client, **WEEK, group="api_key")
    found = rows(text)
    held = defaultdict(int)
    for one in UsageEvent.objects.filter(
        organization_id=our.acme.id, at__gte=MONDAY - 6 * DAY, at__lt=MONDAY + DAY
    ):
        held[ApiKey.objects.get(id=one.api_key_id).name] += 1
    assert {name: number(cells[5]) for name, cells in found.items() if name != "All"} == dict(held)
    href = re.search(rf'href="([^"]*api_key_id={our.of_dev.id}[^"]*)"', text)
    assert href
    alone = client.get(href[1].replace("&amp;", "&")).content.decode()
    assert list(rows(alone)) == ["Dev", "All"]
    assert f'<option value="{our.of_dev.id}" selected>Dev</option>' in alone


def test_more_groups_than_colours_are_others_in_the_chart_and_rows_in_the_table(
    our: Office, client: Client, people: Cast
) -> None:
    for n in range(9):
        our.use(MONDAY, model=f"model-{n}", api_key_id=f"apikey_{n}", usage=TokenUsage(10**8 + n))
    as_(client, people.ada)
    for group, other in (("model", "Other models"), ("api_key", "Other API keys")):
        text = page(client, **WEEK, group=group, bucket="1d")
        legend = re.findall(r'legend-name">([^<]+)</span><span class="legend-value" title="([^"]+)"', text)[
            :6
        ]
        assert legend[-1][0] == other
        found = rows(text)
        assert sum(number(total) for _, total in legend) == number(found["All"][0])
        assert len(found) == 13
        assert number(legend[0][1]) == 10**8 + 8


def test_the_drawing_is_as_high_as_its_table_says(our: Office, client: Client, people: Cast) -> None:
    our.use(MONDAY, usage=TokenUsage(3 * 10**9), model="model-a")
    our.use(MONDAY + HOUR, usage=TokenUsage(10**9), model="model-b")
    as_(client, people.ada)
    day = {"start": f"{MONDAY:%Y-%m-%dT%H:%MZ}", "end": f"{MONDAY + DAY:%Y-%m-%dT%H:%MZ}", "group": "model"}
    drawn = re.findall(r'class="(series-[12])" d="([^"]+)"', page(client, **day))[:2]
    assert drawn[0][1].startswith("M0.14 25.000h.72v75.000h-.72z")  # of an axis that ends at 4 billion
    assert drawn[1][1].startswith("M1.14 75.000h.72v25.000h-.72z")


def test_a_formula_in_a_name_stays_text_in_the_file_and_on_the_page(
    our: Office, client: Client, people: Cast
) -> None:
    ApiKey.objects.filter(id=our.of_dev.id).update(name="=HYPERLINK(1)<script>")
    as_(client, people.ada)
    assert {line["api_key_name"] for line in file(client, **WEEK, group="api_key")} == {
        "'=HYPERLINK(1)<script>",
        "Robot",
        "Server",
    }
    assert "=HYPERLINK(1)&lt;script&gt;" in page(client, **WEEK, group="api_key")
    assert "<script>" not in page(client, **WEEK, group="api_key").replace('<script type="module"', "")
    assert {line["model"] for line in file(client, **WEEK, group="model")} >= {"'=cmd|' /C calc'!A0"}


def test_a_bar_leads_from_a_day_to_hours_to_minutes_to_requests(
    our: Office, client: Client, people: Cast
) -> None:
    as_(client, people.ada)
    text = page(client, **WEEK, model="gpt-ours", bucket="1d")
    path, seen = "", []
    at = MONDAY - DAY
    for length in (DAY, HOUR, MINUTE):
        path = _bar(text, at, length)
        seen.append(path.split("?")[0])
        assert "model=gpt-ours" in path
        text = client.get(path).content.decode() if path.startswith("/usage") else ""
    assert seen == ["/usage", "/usage", "/logs"]
    assert path == (
        f"/logs?start={at:%Y-%m-%dT%H%%3A%MZ}&end={at + MINUTE:%Y-%m-%dT%H%%3A%MZ}&model=gpt-ours"
    )


def _bar(text: str, at: datetime.datetime, length: datetime.timedelta) -> str:
    """Where the bar leads that begins then; the drawing and its table agree."""
    start, end = (f"{one:%Y-%m-%dT%H%%3A%MZ}" for one in (at, at + length))
    found = [href for href in re.findall(r'href="([^"]+)"', text) if start in href and end in href]
    chart = {href.replace("&amp;", "&") for href in found}
    assert len(chart) == 1, found
    assert len(found) >= 4  # of two charts at least, each drawn and told
    return chart.pop()


def test_who_may_not_see_requests_gets_no_link_to_them(our: Office, client: Client, people: Cast) -> None:
    as_(client, people.bill)
    assert "/logs" not in page(
        client, start=f"{MONDAY:%Y-%m-%dT%H:%MZ}", end=f"{MONDAY + HOUR:%Y-%m-%dT%H:%MZ}"
    )


def test_plain_users_see_their_own_keys_whatever_they_ask_for(
    our: Office, client: Client, people: Cast
) -> None:
    ApiKey.objects.filter(id=our.of_nobody.id).update(created_by=people.uma)
    as_(client, people.uma)
    mine = UsageEvent.objects.filter(
        api_key_id=our.of_nobody.id, at__gte=MONDAY - 6 * DAY, at__lt=MONDAY + DAY
    ).count()
    assert stats(page(client, **WEEK))["Requests"] == str(mine)
    for query in ({"api_key_id": our.of_dev.id}, {"user_id": people.dev.id}):
        assert stats(page(client, **WEEK, **query))["Requests"] == "0"
        assert file(client, **WEEK, **query) == []
    assert "Robot" not in page(client, **WEEK, group="api_key")
    assert 'name="user_id"' not in page(client, **WEEK)


def test_nothing_of_another_organization_is_found_by_its_ids(
    our: Office, client: Client, people: Cast
) -> None:
    as_(client, people.mallory)
    for query in (
        {"api_key_id": our.of_dev.id},
        {"workspace_id": our.lab.id},
        {"user_id": people.dev.id},
        {"model": "gpt-ours"},
    ):
        text = page(client, **WEEK, **query, group="api_key")
        assert stats(text)["Requests"] == "0"
        assert "Lab" not in text and "Dev" not in text


def test_days_are_those_of_the_reader_on_the_page_and_utc_in_the_file(
    our: Office, client: Client, people: Cast
) -> None:
    as_(client, people.ada)
    client.post("/time-zone", {"time_zone": "Asia/Kolkata", "next": "/usage"})
    day = f"{MONDAY - DAY:%Y-%m-%d}"
    query = {"start": day, "end": f"{MONDAY:%Y-%m-%d}"}
    start = MONDAY - DAY - 5.5 * HOUR
    expected = UsageEvent.objects.filter(
        organization_id=our.acme.id, at__gte=start, at__lt=start + DAY
    ).count()
    text = page(client, **query)
    assert stats(text)["Requests"] == str(expected)
    assert "Times in Asia/Kolkata" in text
    lines = file(client, **query, bucket="1d")
    assert [line["starting_at"] for line in lines] == [f"{start:%Y-%m-%dT%H:%M:%SZ}"]
    in_utc = page(client, **query, tz="UTC")
    assert stats(in_utc)["Requests"] == "6"
    assert "Show in Asia/Kolkata" in in_utc


def test_the_time_before_stands_beside(our: Office, client: Client, people: Cast) -> None:
    as_(client, people.ada)
    day = {"start": f"{MONDAY - DAY:%Y-%m-%dT%H:%MZ}", "end": f"{MONDAY:%Y-%m-%dT%H:%MZ}", "compare": "1"}
    cells = rows(page(client, **day, group="model"))["All"]
    events = UsageEvent.objects.filter(organization_id=our.acme.id)
    before = sum(
        one.input_tokens
        + one.cache_read_tokens
        + one.cache_write_5m_tokens
        + one.cache_write_1h_tokens
        + one.output_tokens
        for one in events.filter(at__gte=MONDAY - 2 * DAY, at__lt=MONDAY - DAY)
    )
    assert number(cells[8]) == before


def test_by_client_a_day_is_shown_and_of_more_it_is_said_why_not(
    our: Office, client: Client, people: Cast
) -> None:
    our.use(MONDAY, user_agent="<img src=x>", session_id="s-1")
    as_(client, people.ada)
    day = {"start": f"{MONDAY:%Y-%m-%dT%H:%MZ}", "end": f"{MONDAY + DAY:%Y-%m-%dT%H:%MZ}"}
    text = page(client, **day, group="client")
    assert "&lt;img src=x&gt;" in rows(text)
    assert list(rows(page(client, **day, group="session", client="<img src=x>"))) == ["s-1", "All"]
    assert "choose a shorter time" in page(client, **WEEK, group="client")
    assert file(client, **WEEK, group="client") == []


def test_the_page_asks_again_while_more_may_come(our: Office, client: Client, people: Cast) -> None:
    as_(client, people.ada)
    every = {
        key: re.findall(r'hx-trigger="every (\w+)"', page(client, range=key))
        for key in ("1h", "24h", "30d", "last_month")
    }
    assert every == {"1h": ["5s"], "24h": ["5s"], "30d": ["60s"], "last_month": []}
    part = client.get("/usage?range=7d", headers={"hx-request": "true"}).content.decode()
    assert "<html" not in part and 'id="figures"' in part


@pytest.mark.parametrize(
    "query",
    [
        "range=x&group=y&bucket=z&sort=w&tz=Nowhere/City",
        "model=%00",
        "start=%00&end=%ff",
        "start=9999-99-99",
        "sort=cost;drop",
    ],
)
def test_whatever_stands_in_the_address_a_page_is_shown(
    our: Office, client: Client, people: Cast, query: str
) -> None:
    as_(client, people.ada)
    assert client.get(f"/usage?{query}").status_code == 200
    assert client.get(f"/usage.csv?{query}").status_code == 200


def test_a_page_asks_the_database_few_times(
    our: Office, client: Client, people: Cast, django_assert_max_num_queries: Any
) -> None:
    as_(client, people.ada)
    with django_assert_max_num_queries(17):
        page(client, **WEEK, group="api_key", compare="1")


def test_a_zone_that_is_none_is_refused_and_nobody_is_led_away(client: Client, people: Cast) -> None:
    as_(client, people.ada)
    for name in ("Mars/Olympus", "../etc/passwd", ""):
        answer = client.post("/time-zone", {"time_zone": name, "next": "/usage"})
        assert (answer["location"], "time_zone" in answer.cookies) == ("/usage", False)
        assert "There is no time zone of that name" in client.get("/usage").content.decode()
    answer = client.post("/time-zone", {"time_zone": "Asia/Calcutta", "next": "//evil.example"})
    assert (answer["location"], answer.cookies["time_zone"].value) == ("/", "Asia/Kolkata")
