"""The pages of the logs: what is found, by whom, and what a request's page tells."""

from __future__ import annotations

import datetime
import re

import pytest
from django.db import connection
from django.http import QueryDict
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from admin_api.queries import log_walk, request_log
from admin_api.queries.log_sight import sight_of
from admin_api.queries.log_tail import newest, taste_of
from dashboard.logs.filters import wanted_of
from gateway.models import Membership
from tests.admin_api.refused import refused
from tests.dashboard.logged import key_of, logged
from tests.dashboard.test_pages import as_
from tests.people import Cast

pytestmark = pytest.mark.django_db


def listed(page: str) -> list[str]:
    return re.findall(r'<tr data-request="(\w+)"', page)


def shown(client: Client, query: str = "") -> list[str]:
    answer = client.get(f"/logs{query}")
    assert answer.status_code == 200
    return listed(answer.content.decode())


def test_the_newest_request_is_first_and_those_that_a_limit_refused_are_among_them(
    client: Client, people: Cast
) -> None:
    key = key_of(people.acme)
    old = logged(key, ago=90)
    turned_away = refused(key, old.at + datetime.timedelta(seconds=20))
    logged(key, before=old.at, ago=-60)
    as_(client, people.ada)

    ids = shown(client)

    assert ids[1:] == [turned_away.request_id, old.request_id]
    assert len(ids) == 3


def test_a_request_that_was_tried_twice_is_one_line_with_its_end(client: Client, people: Cast) -> None:
    key = key_of(people.acme)
    failed = logged(key, ago=10, status=529, error_type="overloaded_error", stop_reason="")
    logged(key, ago=9, request_id=failed.request_id, attempt=2, provider="other")

    page = as_(client, people.ada).get("/logs").content.decode()

    assert listed(page) == [failed.request_id]
    assert ">try 2<" in page
    assert 'row-note">overloaded_error' not in page


def test_a_page_goes_on_where_the_one_before_ended_whatever_shares_a_moment(
    client: Client, people: Cast
) -> None:
    key = key_of(people.acme)
    now = timezone.now()
    made = [logged(key, before=now, ago=100 + n // 4) for n in range(56)]
    turned_away = [refused(key, row.at).request_id for row in made[45:52]]
    as_(client, people.ada)

    ids, query = [], ""
    while query is not None:
        page = client.get(f"/logs{query}").content.decode()
        ids.append(listed(page))
        (query, *_) = re.findall(r'href="(\?[^"]+)">Older', page) or [None]

    found = [id for page in ids for id in page]
    assert [len(page) for page in ids] == [50, 13]
    assert sorted(found) == sorted([*(row.request_id for row in made), *turned_away])


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("?status=succeeded", ["plain", "cached"]),
        ("?status=failed", ["refused", "late", "gone"]),
        ("?status=refused", ["refused"]),
        ("?status=429", ["refused"]),
        ("?status=504", ["late"]),
        ("?error=client_closed", ["gone"]),
        ("?error=rate_limit_error", ["refused"]),
        ("?model=claude-haiku-5-5", ["cached"]),
        ("?client=CLI", ["cached"]),
        ("?session_id=s-1", ["cached"]),
        ("?service_tier=batch", ["cached"]),
        ("?stop_reason=max_tokens", ["cached"]),
        ("?stream=no", ["cached"]),
        ("?stream=yes", ["plain", "late", "gone"]),
        ("?stream=yes&status=succeeded", ["plain"]),
        ("?user_id=NOBODY", []),
        ("?start=2001-01-01T00:00&end=2001-01-02T00:00", []),
        ("?status=%00", ["refused", "plain", "cached", "late", "gone"]),
        ("?start=tomorrow", ["refused", "plain", "cached", "late", "gone"]),
    ],
)
def test_filters_find_what_they_say(client: Client, people: Cast, query: str, names: list[str]) -> None:
    key = key_of(people.acme)
    made = {
        "refused": refused(key),
        "plain": logged(key, ago=10),
        "cached": logged(
            key,
            ago=20,
            model="claude-haiku-5-5",
            stream=False,
            user_agent="claude-cli/2.0",
            session_id="s-1",
            service_tier="batch",
            stop_reason="max_tokens",
            cache_read_tokens=900,
        ),
        "late": logged(key, ago=30, status=504, error_type="timeout_error"),
        "gone": logged(key, ago=40, status=499, error_type="client_closed"),
    }
    as_(client, people.ada)

    assert shown(client, query) == [made[name].request_id for name in names]
    if "start=2001" not in query:  # what is new is in the tail whatever time is asked for
        assert tailed(people, query) == [made[name].request_id for name in names]


def tailed(people: Cast, query: str) -> list[str]:
    """What the live tail would show with these filters."""
    sight = sight_of(Membership.objects.get(user=people.ada))
    taste = taste_of(sight, wanted_of(QueryDict(query.removeprefix("?"))))
    found = newest([people.acme.id, people.umbrella.id], timezone.now() - datetime.timedelta(minutes=5), 10)
    return [entry.request_id for entry in found[people.acme.id] if taste.takes(entry)]


def test_one_filters_by_key_workspace_member_and_time(client: Client, people: Cast) -> None:
    lab = people.acme.workspaces.create(name="Lab")
    devs = key_of(people.acme, "Dev's", user=people.dev)
    labs = key_of(people.acme, "Lab's", workspace=lab)
    one, two = logged(devs, ago=7200), logged(labs, ago=3600)
    as_(client, people.ada)

    assert shown(client, f"?api_key_id={labs.id}") == [two.request_id]
    assert shown(client, f"?workspace_id={devs.workspace_id}") == [one.request_id]
    assert shown(client, f"?user_id={people.dev.id}") == [one.request_id]
    assert shown(client, f"?start={two.at:%Y-%m-%dT%H:%M:%S}Z") == [two.request_id]
    assert shown(client, f"?end={two.at:%Y-%m-%dT%H:%M:%S}Z") == [one.request_id]


def test_each_role_sees_what_it_should_and_nothing_else_is_known_to_be_there(
    client: Client, people: Cast
) -> None:
    lab = people.acme.workspaces.create(name="Lab")
    made = {
        "default": logged(key_of(people.acme), ago=1),
        "lab": logged(key_of(people.acme, workspace=lab), ago=2),
        "uma": logged(key_of(people.acme, user=people.uma), ago=3),
        "made by uma for dev": logged(key_of(people.acme, user=people.dev, created_by=people.uma), ago=4),
        "foreign": logged(key_of(people.umbrella), ago=5),
    }
    names = {row.request_id: name for name, row in made.items()}
    sees = {
        "ada": {"default", "lab", "uma", "made by uma for dev"},
        "dev": {"default", "uma", "made by uma for dev"},
        "uma": {"uma"},
        "mallory": {"foreign"},
    }
    for who, expected in sees.items():
        as_(client, getattr(people, who))
        assert {names[id] for id in shown(client)} == expected, who
        opened = {
            name for name, row in made.items() if client.get(f"/logs/{row.request_id}").status_code == 200
        }
        assert opened == expected, who
        found = {
            name for name, row in made.items() if client.get(f"/logs?q={row.request_id}").status_code == 302
        }
        assert found == expected, who


def test_a_developer_of_a_workspace_sees_it(client: Client, people: Cast) -> None:
    lab = people.acme.workspaces.create(name="Lab")
    lab.members.create(organization=people.acme, user=people.dev, role="workspace_developer")
    row = logged(key_of(people.acme, workspace=lab))

    assert shown(as_(client, people.dev)) == [row.request_id]


@pytest.mark.parametrize("address", ["/logs", "/logs/req_x", "/logs?q=req_x"])
def test_billing_has_no_logs(client: Client, people: Cast, address: str) -> None:
    as_(client, people.bill)

    assert client.get(address).status_code == 403
    assert 'href="/logs"' not in client.get("/").content.decode()


@pytest.mark.parametrize(
    "pasted", ["{id}", "  {id}\n", '"{id}",', "request-id: {id}", "{spaced}", "request_id={id} 429"]
)
def test_an_id_is_found_however_it_was_pasted(client: Client, people: Cast, pasted: str) -> None:
    id = logged(key_of(people.acme)).request_id
    text = pasted.format(id=id, spaced=f"{id[:9]} {id[9:]}")

    answer = as_(client, people.ada).get("/logs", {"q": text})

    assert (answer.status_code, answer.headers.get("location")) == (302, f"/logs/{id}")


def test_an_id_that_is_not_there_is_said_to_be_and_the_newest_are_shown(client: Client, people: Cast) -> None:
    row = logged(key_of(people.acme))

    page = as_(client, people.ada).get("/logs?q=req_nothing<b>").content.decode()

    assert "No request with the id <code>req_nothing</code>" in page
    assert "One that was refused as wrong, or found no provider, is not in the logs." in page
    assert listed(page) == [row.request_id]


def test_the_palette_finds_a_request_by_its_id(client: Client, people: Cast) -> None:
    row = logged(key_of(people.acme))

    assert (
        f"/logs/{row.request_id}"
        in as_(client, people.ada).get(f"/search?q={row.request_id}").content.decode()
    )
    assert (
        f"/logs/{row.request_id}"
        not in as_(client, people.mallory).get(f"/search?q={row.request_id}").content.decode()
    )


def test_a_rare_kind_is_looked_for_so_far_and_no_further(
    client: Client, people: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_walk, "NEIGHBOURS", 5)
    monkeypatch.setattr(request_log, "PIECES", 2)
    key = key_of(people.acme)
    now = timezone.now()
    rare = [logged(key, before=now, ago=ago, user_agent="rare/1") for ago in (3.5, 23.5)]
    for n in range(30):
        logged(key, before=now, ago=n)
    as_(client, people.ada)

    first = client.get("/logs?client=rare").content.decode()
    found, pages, page = [], 1, first
    while further := re.findall(r'href="(\?[^"]+)">Look further back', page):
        found += listed(page)
        page = client.get("/logs" + further[0].replace("&amp;", "&")).content.decode()
        pages += 1

    assert listed(first) == [rare[0].request_id]
    assert "Looked back to" in first
    assert [*found, *listed(page)] == [row.request_id for row in rare]
    assert 3 <= pages <= 5
    assert "Looked back to" not in page


def test_what_was_long_ago_is_found_at_once(client: Client, people: Cast) -> None:
    lab = people.acme.workspaces.create(name="Lab")
    old = logged(key_of(people.acme, workspace=lab), ago=86_400 * 40)
    logged(key_of(people.acme))
    as_(client, people.ada)

    assert shown(client, f"?workspace_id={lab.id}") == [old.request_id]
    assert shown(client, f"?api_key_id={old.api_key_id}") == [old.request_id]
    assert shown(client)[-1] == old.request_id


def test_several_limits_that_refused_one_request_are_one_line(client: Client, people: Cast) -> None:
    key = key_of(people.acme, user=people.uma)
    at = timezone.now() - datetime.timedelta(minutes=1)
    blocks = [
        refused(
            key, at + datetime.timedelta(milliseconds=n // 3), request_id=f"req_{n // 3:03}", limiter=limiter
        )
        for n, limiter in enumerate(
            ["requests_per_minute", "output_tokens_per_minute", "tokens_per_day"] * 60
        )
    ]
    expected = list(dict.fromkeys(block.request_id for block in reversed(blocks)))

    for who in (people.ada, people.uma):
        first = as_(client, who).get("/logs").content.decode()
        (older,) = re.findall(r'href="(\?[^"]+)">Older', first)
        assert listed(first) + shown(client, older) == expected


def test_a_list_costs_the_same_whatever_its_length(client: Client, people: Cast) -> None:
    as_(client, people.ada)
    keys = [key_of(people.acme), key_of(people.acme, user=people.dev)]
    logged(keys[0])
    with CaptureQueriesContext(connection) as short:
        client.get("/logs")
    for n in range(20):
        logged(keys[n % 2], ago=n, status=529 if n % 3 else 200)
    with CaptureQueriesContext(connection) as long:
        client.get("/logs")

    assert len(long) <= len(short)
    assert sum("usage_event" in one["sql"] for one in long) <= 4


def test_times_are_those_of_the_reader_and_links_hold_for_everybody(client: Client, people: Cast) -> None:
    row = logged(key_of(people.acme), before=timezone.now().replace(hour=12, minute=0, second=0), ago=86_400)
    as_(client, people.ada)
    client.cookies["time_zone"] = "Asia/Kolkata"

    page = client.get(f"/logs?start={row.at:%Y-%m-%d}T17:00:00").content.decode()

    assert listed(page) == [row.request_id]
    assert f"{row.at:%H:%M}" == "12:00"
    assert "17:30:00" in page
    assert f'value="{row.at:%Y-%m-%d}T17:00:00"' in page
    assert f"/logs.csv?start={row.at:%Y-%m-%d}T11%3A30%3A00Z" in page
    assert listed(client.get(f"/logs?start={row.at:%Y-%m-%d}T17:31:00").content.decode()) == []
