"""`limits/blocks`: why a request was refused, as admins ask for it."""

from __future__ import annotations

import datetime
from typing import Any

import anthropic
import pytest
from django.db import connection
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from admin_api.actions import api_keys, workspaces
from admin_api.actor import SYSTEM
from admin_api.queries.rate_limits import ALL_MODELS
from gateway.models import ApiKey, ModelGroup, Organization, Workspace
from tests.admin_api.door import Door, admin_key
from tests.admin_api.refused import refused
from tests.people import Cast

PATH = "/v1/organizations/limits/blocks"
MINUTE = datetime.timedelta(minutes=1)
NOON = datetime.datetime.now(datetime.UTC).replace(hour=12, minute=0, second=0, microsecond=0)
NOON -= datetime.timedelta(days=2)
# Of whatever there is, thousands of others.
COPIES = """
INSERT INTO limit_block
SELECT copy.* FROM limit_block AS old, generate_series(1, 5000) AS n, LATERAL json_populate_record(
    old, json_build_object('id', n::text, 'request_id', n::text, 'api_key_id', (n % 100)::text)
) AS copy
"""


def a_key(organization: Organization, workspace: Workspace | None = None) -> ApiKey:
    place = workspace or Workspace.objects.get(organization=organization, is_default=True)
    return api_keys.create(actor=SYSTEM, organization=organization, name="Server", workspace=place)[0]


def ask(organization: Organization, **query: Any) -> dict[str, Any]:
    answer = Client().get(PATH, query, headers={"x-api-key": admin_key(organization)[1]})
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


def only(organization: Organization, **query: Any) -> dict[str, Any]:
    (found,) = ask(organization, **query)["data"]
    return dict(found)


def test_the_sdk_is_told_which_limit_refused_a_request(door: Door, committed_people: Cast) -> None:
    acme = committed_people.acme
    lab = workspaces.create(actor=SYSTEM, organization=acme, name="Lab")
    key = a_key(acme, lab)
    block = refused(key, NOON)
    refused(key, NOON + MINUTE)
    client = door.sdk(admin_key(acme)[1])

    page: Any = client.get(f"{PATH}?request_id={block.request_id}", cast_to=object)

    assert page == {
        "data": [
            {
                "id": block.id,
                "type": "limit_block",
                "request_id": block.request_id,
                "created_at": f"{NOON:%Y-%m-%dT%H:%M:%SZ}",
                "api_key_id": key.id,
                "workspace_id": lab.id,
                "model": "claude-sonnet-4-5",
                "endpoint": "messages",
                "kind": "rate_limit",
                "scope": {"type": "organization"},
                "group": {"type": "model_group", "id": ALL_MODELS.id},
                "limit_type": "output_tokens_per_minute",
                "limit": 80_000,
                "needed": 4_096,
                "remaining": 120,
                "retry_after_seconds": 3,
                "spend_limit_id": None,
                "message": "Refused by the organization's rate limit of 80,000 output tokens per minute: the "
                "request needed 4,096, with 120 left. "
                f"It could be sent again at {NOON:%Y-%m-%d} 12:00:03 UTC.",
            }
        ],
        "next_page": None,
    }
    with pytest.raises(anthropic.BadRequestError, match="request_id: "):
        client.get(f"{PATH}?request_id=a%00b", cast_to=object)


def test_the_group_is_that_of_the_rate_limits(door: Door, committed_people: Cast) -> None:
    acme = committed_people.acme
    refused(a_key(acme))
    client = door.sdk(admin_key(acme)[1])

    page: Any = client.get(PATH, cast_to=object)

    assert page["data"][0]["group"]["id"] == client.organization.rate_limits.list().data[0].group.id


def test_a_group_of_models_is_named_as_people_know_it(people: Cast) -> None:
    ModelGroup.objects.create(name="opus", display_name="Claude Opus")
    block, gone = (refused(a_key(people.acme), pool=pool) for pool in ("opus", "haiku"))

    messages = [only(people.acme, request_id=one.request_id)["message"] for one in (block, gone)]

    assert [message.split(":")[0].rpartition(" minute ")[2] for message in messages] == [
        "for Claude Opus",
        "for haiku",
    ]


def test_the_default_workspace_is_null_as_in_reports(people: Cast) -> None:
    block = refused(a_key(people.acme))

    assert only(people.acme)["workspace_id"] is None
    assert only(people.acme, workspace_id=block.workspace_id)["id"] == block.id


@pytest.mark.parametrize(
    ("scope", "id", "whose"),
    [
        ("workspace", "wrkspc_01x", "the workspace's"),
        ("user", "user_01x", "the member's"),
        ("api_key", "apikey_01x", "the API key's"),
    ],
)
def test_a_scope_names_its_holder(people: Cast, scope: str, id: str, whose: str) -> None:
    refused(a_key(people.acme), scope=scope, scope_id=id, limiter="concurrent_requests", limit=5, pool="")

    found = only(people.acme)

    assert found["scope"] == {"type": scope, f"{scope}_id": id}
    assert found["group"] is None
    assert found["message"].startswith(f"Refused by {whose} rate limit of 5 concurrent requests: ")


def test_a_spend_limit_is_told_in_cents_with_its_id_and_when_it_begins_anew(people: Cast) -> None:
    refused(
        a_key(people.acme),
        NOON,
        kind="spend_limit",
        limiter="monthly",
        limit=123_456,
        needed=12,
        remaining=-5,
        retry_after_ms=12 * 3_600_000,
        spend_limit_id="spl_01x",
    )

    found = only(people.acme)

    assert (found["kind"], found["limit_type"], found["spend_limit_id"]) == (
        "spend_limit",
        "monthly",
        "spl_01x",
    )
    assert (found["limit"], found["needed"], found["remaining"]) == (123_456, 12, -5)
    assert (found["group"], found["retry_after_seconds"]) == (None, 43_200)
    assert found["message"] == (
        "Refused by the organization's monthly spend limit of $1,234.56: the request needed $0.12, with $0.00 left. "
        f"It could be sent again at {NOON + datetime.timedelta(hours=12):%Y-%m-%d} 00:00:00 UTC."
    )


def test_of_empty_credit_is_said_that_waiting_could_not_help(people: Cast) -> None:
    refused(a_key(people.acme), kind="credit", limiter="", needed=1, remaining=0, retry_after_ms=None)

    found = only(people.acme)

    assert found["retry_after_seconds"] is None
    assert found["message"] == (
        "Refused by the organization's prepaid credit: the request needed $0.01, with $0.00 left. "
        "Waiting could not help."
    )


def test_recent_refusals_are_listed_by_key_and_workspace_newest_first(people: Cast) -> None:
    acme = people.acme
    lab = workspaces.create(actor=SYSTEM, organization=acme, name="Lab")
    first, second = a_key(acme), a_key(acme, lab)
    blocks = [refused(key, NOON + n * MINUTE) for n, key in enumerate((first, second, first))]

    def listed(**query: str) -> list[str]:
        return [one["id"] for one in ask(acme, **query)["data"]]

    assert listed() == [blocks[2].id, blocks[1].id, blocks[0].id]
    assert listed(api_key_id=first.id) == [blocks[2].id, blocks[0].id]
    assert listed(workspace_id=lab.id) == [blocks[1].id]
    assert listed(workspace_id=lab.id, api_key_id=first.id) == []
    assert listed(request_id="req_nothing") == []


def test_pages_have_each_refusal_once_also_those_of_one_moment(people: Cast) -> None:
    key = a_key(people.acme)
    blocks = [refused(key, NOON - (n // 3) * MINUTE) for n in range(8)]

    page = ask(people.acme, limit=3, api_key_id=key.id)
    found = page["data"]
    while page["next_page"]:
        page = ask(people.acme, limit=3, api_key_id=key.id, page=page["next_page"])
        found += page["data"]

    newest_first = sorted(blocks, key=lambda block: (block.at, block.id), reverse=True)
    assert [one["id"] for one in found] == [block.id for block in newest_first]


def test_what_umbrella_was_refused_is_not_acmes_business(people: Cast) -> None:
    ours, theirs = refused(a_key(people.acme)), refused(a_key(people.umbrella))

    assert only(people.acme)["id"] == ours.id
    for query in (
        {"request_id": theirs.request_id},
        {"api_key_id": theirs.api_key_id},
        {"workspace_id": theirs.workspace_id},
    ):
        assert ask(people.acme, **query) == {"data": [], "next_page": None}


def test_an_organization_is_told_its_own_where_a_request_id_is_known_twice(people: Cast) -> None:
    key = a_key(people.acme)
    ours = refused(key, request_id="req_same")
    refused(a_key(people.umbrella), request_id="req_same")

    assert only(people.acme, request_id="req_same")["id"] == ours.id


def test_a_list_costs_two_queries_however_long(
    people: Cast, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    key, secret = a_key(people.acme), admin_key(people.acme)[1]
    for _ in range(30):
        refused(key)

    with django_assert_num_queries(2):  # the Admin key with its organization, the page
        answer = Client().get(PATH, {"limit": 25}, headers={"x-api-key": secret})
    assert len(answer.json()["data"]) == 25


@pytest.mark.parametrize(
    ("column", "order"), [("request_id", ""), ("api_key_id", "ORDER BY at DESC LIMIT 20")]
)
def test_what_is_asked_for_is_found_by_an_index(people: Cast, column: str, order: str) -> None:
    block = refused(a_key(people.acme), NOON)
    with connection.cursor() as cursor:
        cursor.execute(COPIES)
        cursor.execute("ANALYZE limit_block")
        cursor.execute(
            f"EXPLAIN SELECT * FROM limit_block WHERE organization_id = %s AND {column} = '7' {order}",
            [people.acme.id],
        )
        plan = [row[0] for row in cursor.fetchall()]
    scan = next(n for n, line in enumerate(plan) if f" on limit_block_{block.day:%Y%m%d}" in line)
    assert f"({column})::text = '7'" in plan[scan + 1] and "Index Cond" in plan[scan + 1], plan
