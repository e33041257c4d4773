"""The page of limits: what is used of each, whose binds, why a request was blocked, and what an admin changes."""

from __future__ import annotations

import datetime
import re
from decimal import Decimal
from typing import Any

import pytest
import redis
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from admin_api.actions import credit, model_groups, models, workspaces
from admin_api.actor import SYSTEM
from admin_api.catalog import RouteTo
from gateway.ids import new_id
from gateway.limit_pools import DEFAULT
from gateway.models import ApiKey, LimitBlock, Organization, SpendLimit, User, Workspace
from gateway.scopes import state_key
from tests.batches.rows import batch_of
from tests.dashboard.test_pages import as_, used
from tests.people import Cast

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fresh(valkey: redis.Redis) -> None:
    """Gauges read Valkey."""


@pytest.fixture
def lab(people: Cast) -> Workspace:
    return workspaces.create(actor=SYSTEM, organization=people.acme, name="Lab <1>")


def key_of(
    organization: Organization, workspace: Workspace, owner: User | None = None, **fields: Any
) -> ApiKey:
    return ApiKey.objects.create(
        organization=organization,
        workspace=workspace,
        kind="api",
        name=fields.pop("name", "Nightly <run>"),
        digest=new_id("d").encode(),
        hint="sk-…abcd",
        created_by=owner,
        **fields,
    )


def blocked(organization: Organization, key: ApiKey, **fields: Any) -> LimitBlock:
    at = fields.pop("at", timezone.now())
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE TABLE IF NOT EXISTS limit_block_{at:%Y%m%d} PARTITION OF limit_block"
            f" FOR VALUES FROM ('{at:%Y-%m-%d}') TO ('{at + datetime.timedelta(days=1):%Y-%m-%d}')"
        )
    return LimitBlock.objects.create(
        **{
            "day": at.date(),
            "id": new_id("lblk"),
            "at": at,
            "request_id": "req_blocked",
            "organization_id": organization.id,
            "workspace_id": key.workspace_id,
            "api_key_id": key.id,
            "model": "claude-sonnet-5-5",
            "endpoint": "messages",
            "kind": "rate_limit",
            "scope_type": "organization",
            "scope_id": str(organization.id),
            "pool": DEFAULT,
            "limiter": "requests_per_minute",
            "limit_value": 200,
            "needed": 1,
            "remaining": 0,
            "retry_after_ms": 1500,
        }
        | fields
    )


def rows(page: str) -> dict[str, dict[str, str]]:
    """What the page says of each limit, by its group and name."""
    found = {}
    for group in re.findall(r'<section class="card" aria-labelledby="limit-group.*?</section>', page, re.S):
        title = re.search(r"<h2[^>]*>(.*?)</h2>", group, re.S)
        assert title
        for row in re.findall(r'<li class="limit .*?</div>\s*</li>', group, re.S):
            label, figure, note = (
                re.search(pattern, row, re.S)
                for pattern in (
                    r'meter-label"[^>]*>(.*?)</span>',
                    r'meter-figure"[^>]*>(.*?)</span>',
                    r'-note">(.*?)</p>',
                )
            )
            assert label and figure and note
            found[f"{title[1]}: {label[1]}"] = {
                "figure": _bare(figure[1]),
                "note": _bare(note[1]),
                "whose": _bare(re.findall(r'class="limit-whose">(.*?)(?:<ul|</div>)', row, re.S)[0]),
                "others": re.findall(r"<li>(.*?)</li>", row),
                "peak": _bare("".join(re.findall(r'<p class="meter-note" title.*?</p>', row, re.S))),
                "refused": _bare(re.findall(r'limit-refused.*?">(.*?)</p>', row, re.S)[-1]).split()[0],
            }
    return found


def _bare(markup: str) -> str:
    return re.sub(r"<[^>]+>", "", markup).strip()


def page_of(client: Client, **query: str) -> str:
    return client.get("/limits", query).content.decode()


def test_every_limit_that_can_block_stands_on_the_page(client: Client, people: Cast) -> None:
    model_groups.upsert(actor=SYSTEM, name="opus", display_name="Claude Opus")
    models.upsert(actor=SYSTEM, name="big", routes=[RouteTo("simulator", "big")], group="opus")
    people.acme.group_limits = {
        "opus": {"requests_per_minute": 20},
        "token_count": {"requests_per_minute": 9},
    }
    people.acme.save()

    shown = rows(page_of(as_(client, people.ada)))

    assert [name for name in shown if not name.startswith("Other")] == [
        "Claude Opus: Requests per minute",
        "Claude Opus: Tokens per minute",
        "Claude Opus: Concurrent requests",
        "Message batches: Concurrent requests",
        "Message batches: Batch requests in the queue",
        "Counting tokens: Requests per minute",
    ]
    assert shown["Claude Opus: Requests per minute"]["figure"] == "0 of 20"
    assert shown["Counting tokens: Requests per minute"]["note"] == "9 left, full"


def test_the_holder_with_least_left_binds_and_the_others_stand_beside_it(
    client: Client, people: Cast, lab: Workspace, valkey: redis.Redis
) -> None:
    workspaces.set_limits(actor=SYSTEM, workspace=lab, limits={"requests_per_minute": 50})
    key = key_of(people.acme, lab, limits={"requests_per_minute": 60})
    name = state_key(people.acme.id, DEFAULT, "api_key", key.id)
    seconds, _ = valkey.time()
    valkey.hset(
        name, mapping={"at": seconds * 1000 + 600_000, "r": 15}
    )  # of the future: nothing is refilled yet

    shown = rows(page_of(as_(client, people.dev), key=key.id))

    (row,) = [row for name, row in shown.items() if name == "All models: Requests per minute"]
    assert row["figure"] == "45 of 60"
    assert row["whose"] == "Key Nightly &lt;run&gt; binds"
    assert row["note"] == "Filling up. 15 left, full again in 45 s"
    assert row["others"] == ["Organization: 200 of 200 left", "Workspace Lab &lt;1&gt;: 50 of 50 left"]


def test_the_queue_of_batches_counts_what_has_no_result_yet(
    client: Client, people: Cast, lab: Workspace
) -> None:
    workspaces.set_limits(actor=SYSTEM, workspace=lab, limits={"enqueued_batch_requests": 40}, pool="batch")
    batch_of(people.acme, lab, total=30, succeeded=10, errored=2)
    batch_of(people.acme, total=100)
    batch_of(people.acme, lab, total=7, status="ended", ended_at=timezone.now())
    batch_of(people.umbrella, total=1000)
    ada = as_(client, people.ada)

    name = "Message batches: Batch requests in the queue"
    whole, part = rows(page_of(ada))[name], rows(page_of(ada, workspace=lab.id))[name]

    assert (whole["figure"], whole["note"]) == ("118 of 100K", "99,882 more may be sent in")
    assert (part["figure"], part["whose"]) == ("18 of 40", "Workspace Lab &lt;1&gt; binds")


def test_the_highest_minute_of_the_last_hour_is_told_and_drawn(
    client: Client, people: Cast, lab: Workspace
) -> None:
    models.upsert(actor=SYSTEM, name="known", routes=[RouteTo("simulator", "known")])
    tokens = {"input_tokens": 50, "cache_read_tokens": 9000, "cache_write_5m_tokens": 30, "output_tokens": 20}
    used(people.acme, "known", requests=100, hours_ago=0.5, **tokens)
    used(people.acme, "known", key="another", requests=20, hours_ago=0.25)
    used(people.umbrella, "known", requests=999)
    at = timezone.now() - datetime.timedelta(hours=0.5)

    page = page_of(as_(client, people.bill))
    shown = rows(page)

    assert shown["All models: Requests per minute"]["peak"] == f"Peak 100 at {at:%H:%M}, 50%"
    assert shown["All models: Tokens per minute"]["peak"].startswith(
        "Peak 100 at"
    )  # what is read from a cache is free
    assert shown["All models: Concurrent requests"]["peak"] == ""
    table = re.findall(r'<td class="number">(\d+)</td>', page)
    assert table == ["20", "0", "100", "100"]


def test_refusals_of_the_last_hour_are_counted_where_they_were_met(
    client: Client, people: Cast, lab: Workspace
) -> None:
    mine, other = key_of(people.acme, lab), key_of(people.acme, people.acme.workspaces.get(is_default=True))
    blocked(people.acme, mine)
    blocked(people.acme, other)
    blocked(people.acme, mine, at=timezone.now() - datetime.timedelta(minutes=61))
    dev = as_(client, people.dev)

    name = "All models: Requests per minute"
    counts = [
        rows(page_of(dev, **query))[name]["refused"]
        for query in ({}, {"key": mine.id}, {"workspace": lab.id})
    ]

    assert counts == ["2", "1", "1"]
    assert "2 requests refused by a rate limit" in page_of(dev)


def test_a_request_that_was_blocked_is_explained(client: Client, people: Cast, lab: Workspace) -> None:
    key = key_of(people.acme, lab)
    blocked(people.acme, key)
    blocked(
        people.umbrella, key_of(people.umbrella, people.umbrella.workspaces.get()), request_id="req_foreign"
    )
    ada = as_(client, people.ada)

    page = page_of(ada, request_id=" req_blocked ")

    assert "Refused by the organization&#x27;s rate limit of 200 requests per minute" in page
    assert "Nightly &lt;run&gt;" in page
    for absent in ("req_foreign", "req_nothing", "x" * 200, "\0"):
        assert "No limit refused <code>" in page_of(ada, request_id=absent)


def test_plain_users_see_limits_and_refusals_of_their_own_keys_only(
    client: Client, people: Cast, lab: Workspace
) -> None:
    mine, foreign = (
        key_of(people.acme, lab, people.uma, name="Mine"),
        key_of(people.acme, lab, people.dev, name="Devs"),
    )
    blocked(people.acme, mine, request_id="req_mine")
    blocked(people.acme, foreign, request_id="req_devs")
    uma = as_(client, people.uma)

    page = page_of(uma)

    assert "req_mine" in page and "req_devs" not in page
    assert "Mine" in page and "Devs" not in page
    assert "No limit refused <code>req_devs" in page_of(uma, request_id="req_devs")
    assert [client.get("/limits", {"key": key.id}).status_code for key in (mine, foreign)] == [200, 404]


def test_what_is_foreign_is_as_absent_as_nothing(client: Client, people: Cast) -> None:
    theirs = people.umbrella.workspaces.get()
    key = key_of(people.umbrella, theirs)
    ada = as_(client, people.ada)

    queries = ({"key": key.id}, {"workspace": theirs.id}, {"key": "nothing"}, {"workspace": "a\0b"})

    assert {ada.get("/limits", query).status_code for query in queries} == {404}


def test_the_latest_refusals_go_on_page_by_page_for_one_query(
    client: Client, people: Cast, lab: Workspace
) -> None:
    key = key_of(people.acme, lab)
    now = timezone.now()
    for n in range(15):
        blocked(people.acme, key, request_id=f"req_{n:02}", at=now - datetime.timedelta(milliseconds=n))
    ada = as_(client, people.ada)

    with CaptureQueriesContext(connection) as queries:
        first = page_of(ada)
    # the list, and what the last hour counts
    assert sum("limit_block" in query["sql"] for query in queries) == 2
    (older,) = re.findall(r'href="(/limits\?[^"]+)#refused-title">Older', first)
    second = ada.get(older.replace("&amp;", "&")).content.decode()

    pages = [re.findall(r">(req_\d\d)</a>", page) for page in (first, second)]
    assert pages == [[f"req_{n:02}" for n in range(10)], [f"req_{n:02}" for n in range(10, 15)]]


def test_spend_limits_and_credit_show_what_is_left(client: Client, people: Cast, lab: Workspace) -> None:
    for scope in ({}, {"workspace": lab}, {"user": people.dev}):
        SpendLimit.objects.create(organization=people.acme, amount=5000, period="monthly", **scope)
    key = key_of(people.acme, lab, user=people.dev)
    credit.begin(actor=SYSTEM, organization=people.acme)
    used(people.acme, "m", key=key.id, requests=1, cost=Decimal("12.5"))
    used(people.acme, "m", key="other", requests=1, cost=Decimal("30.0000001"))

    page = page_of(as_(client, people.ada), key=key.id)
    money = page[page.index('id="money-title"') :]

    shown = re.findall(r'<strong>([^<]+)</strong> of ([^<]+)</span>.*?badge-plain">([^<]+)<', money, re.S)
    assert shown[:3] == [
        ("$42.50", "$50.00", "Organization"),
        ("$0.00", "$50.00", "Workspace Lab &lt;1&gt;"),
        ("$12.50", "$50.00", "Member"),
    ]
    assert 'title="$42.5000001"' in money
    assert "Prepaid credit used" in money


def test_admins_are_led_to_where_a_workspaces_limits_are_changed(
    client: Client, people: Cast, lab: Workspace
) -> None:
    ada = as_(client, people.ada)

    links = re.findall(
        r'href="(/workspaces/[^"]+/limits)#(rl_\w+-title)">Change<', page_of(ada, workspace=lab.id)
    )

    assert {path for path, _ in links} == {f"/workspaces/{lab.id}/limits"}
    there = ada.get(links[0][0]).content.decode()
    assert all(f'id="{id}"' in there for _, id in links)
    default = people.acme.workspaces.get(is_default=True)
    for someone, place in ((ada, default), (as_(Client(), people.dev), lab)):
        assert ">Change<" not in page_of(someone, workspace=place.id)


def test_the_gauges_alone_are_what_refreshes_for_the_same_choice(
    client: Client, people: Cast, lab: Workspace
) -> None:
    part = (
        as_(client, people.ada)
        .get(f"/limits?workspace={lab.id}", headers={"hx-request": "true"})
        .content.decode()
    )

    assert part.lstrip().startswith('<div id="limits-now"')
    assert f'hx-get="/limits?workspace={lab.id}"' in part
    assert "<h1" not in part


def test_without_valkey_the_page_says_so(
    client: Client, people: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*args: Any) -> None:
        raise redis.ConnectionError("gone")

    monkeypatch.setattr("gateway.limits.gauges.read_all", away)

    page = page_of(as_(client, people.ada))

    assert "Live figures are not available right now" in page
    assert "Why was a request blocked?" in page


def test_the_page_takes_the_same_few_queries_whatever_is_limited(
    client: Client, people: Cast, lab: Workspace, django_assert_max_num_queries: Any
) -> None:
    for n in range(6):
        model_groups.upsert(actor=SYSTEM, name=f"g{n}", display_name=f"Group {n}")
        models.upsert(actor=SYSTEM, name=f"m{n}", routes=[RouteTo("simulator", "m")], group=f"g{n}")
    key = key_of(people.acme, lab)
    ada = as_(client, people.ada)
    # session, user, membership, key, models, aliases, groups, queue, minutes, refused, spend limits
    with django_assert_max_num_queries(12):
        ada.get(f"/limits?key={key.id}", headers={"hx-request": "true"})
