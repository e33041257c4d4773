"""API keys over the Admin API: what the official SDK knows, what only this gateway adds, and what keys then can do."""

from __future__ import annotations

import datetime
import time
from typing import Any

import anthropic
import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from admin_api.actions import api_keys, model_groups, models, organizations, workspaces
from admin_api.actor import SYSTEM
from admin_api.catalog import RouteTo
from gateway import credentials
from gateway.models import ApiKey, AuditEntry, Membership, ServiceAccount, SpendLimit
from tests.admin_api.door import Door, admin_key, csrf, stranger
from tests.admin_api.key_maker import KEYS, Admin
from tests.people import Cast, person


def test_a_new_key_is_shown_with_its_secret_once(admin: Admin, committed_people: Cast) -> None:
    made = admin.create(name=" CI ")

    default = committed_people.acme.workspaces.get()
    secret = made.pop("key")
    assert credentials.kind_of(secret) == "api"
    assert made == {
        "id": made["id"],
        "type": "api_key",
        "name": "CI",
        "status": "active",
        "partial_key_hint": credentials.hint(secret),
        "scope": {"type": "workspace", "workspace_id": default.id},
        "workspace_id": None,
        "principal": None,
        "created_by": None,
        "created_at": made["created_at"],
        "expires_at": None,
        "allowed_models": [],
        "denied_models": [],
        "allowed_ips": [],
        "limits": {},
        "group_limits": {},
        "spend_limit": None,
        "previous_key_expires_at": None,
    }
    assert admin.http.get(f"{KEYS}/{made['id']}").json() == made
    assert admin.sdk.retrieve(made["id"]).scope.type == "workspace"
    assert secret not in admin.http.get(KEYS).text
    assert admin.call(secret) == 200


def test_no_row_that_is_stored_holds_a_secret_or_opens_the_door(admin: Admin) -> None:
    made = admin.create()
    rotated = admin.http.post(f"{KEYS}/{made['id']}/rotate", json={"overlap_seconds": 60}).json()

    with connection.cursor() as cursor:
        rows = ""
        for table in ("gateway_apikey", "audit_entry", "gateway_spendlimit"):
            cursor.execute(f"SELECT string_agg(t::text, ' ') FROM {table} t")
            rows += str(cursor.fetchone()[0])
    for secret in (made["key"], rotated["key"]):
        assert secret[15:30] not in rows
    for row in ApiKey.objects.filter(pk=made["id"]).values():
        for value in row.values():
            text = value.hex() if isinstance(value, bytes) else str(value)
            printable = "".join(one for one in text if one.isascii() and one.isprintable())
            assert admin.call(printable, source=stranger()) == 401


def test_a_key_is_made_with_everything_it_can_have(admin: Admin, committed_people: Cast) -> None:
    acme = committed_people.acme
    lab = workspaces.create(actor=SYSTEM, organization=acme, name="Lab")
    until = timezone.now() + datetime.timedelta(days=1)

    made = admin.create(
        name="n" * 500,
        scope={"type": "workspace", "workspace_id": lab.id},
        workspace_id=lab.id,
        expires_at=until.isoformat(),
        principal={"type": "user_actor", "user_id": committed_people.dev.id},
        allowed_models=["claude-haiku-*"],
        denied_models=["claude-opus-*"],
        allowed_ips=["127.0.0.0/8", "2001:db8::1", "::ffff:10.0.0.0/104"],
        limits={"requests_per_minute": 5},
        spend_limit={"amount": "50000", "period": "daily"},
    )

    assert {field: made[field] for field in ("scope", "workspace_id", "principal", "allowed_ips")} == {
        "scope": {"type": "workspace", "workspace_id": lab.id},
        "workspace_id": lab.id,
        "principal": {"type": "user_actor", "user_id": committed_people.dev.id},
        "allowed_ips": ["127.0.0.0/8", "2001:db8::1/128", "10.0.0.0/8"],
    }
    assert datetime.datetime.fromisoformat(made["expires_at"]) == until
    assert made["spend_limit"] == {"amount": "50000", "period": "daily"}
    row = SpendLimit.objects.get()
    assert (row.api_key_id, row.amount, row.period) == (made["id"], 50_000, "daily")
    (line,) = AuditEntry.objects.filter(action="api_key.created", target_id=made["id"])
    assert line.details["spend_limit"] == "50000 cents daily"


def test_a_key_of_the_organization_chooses_its_workspace(admin: Admin) -> None:
    made = admin.create(scope={"type": "organization"})

    assert (made["scope"], made["workspace_id"]) == ({"type": "organization"}, None)
    assert admin.sdk.retrieve(made["id"]).scope.to_dict() == {"type": "organization"}


def test_a_service_account_holds_a_key_while_it_lives(admin: Admin, committed_people: Cast) -> None:
    deploy = ServiceAccount.objects.create(organization=committed_people.acme, name="deploy")
    principal = {"type": "service_account_actor", "service_account_id": deploy.id}

    assert admin.create(principal=principal)["principal"] == principal

    ServiceAccount.objects.update(archived_at=timezone.now())
    assert admin.refused(name="CI", principal=principal) == (
        400,
        "principal: not a live service account of this organization",
    )


def test_who_is_signed_in_is_told_as_the_maker(door: Door, committed_people: Cast) -> None:
    ada = door.signed_in(committed_people.ada)

    made = ada.post(KEYS, json={"name": "Ada's"}, headers={"X-CSRFToken": csrf(ada, "/")}).json()

    assert made["created_by"] == {"id": committed_people.ada.id, "type": "user"}
    listed = door.sdk(admin_key(committed_people.acme)[1]).organization.api_keys
    assert [key.name for key in listed.list(created_by_user_id=committed_people.ada.id)] == ["Ada's"]
    assert list(listed.list(created_by_user_id=committed_people.dev.id)) == []


def test_the_list_is_walked_and_filtered(admin: Admin, committed_people: Cast) -> None:
    acme = committed_people.acme
    lab = workspaces.create(actor=SYSTEM, organization=acme, name="Lab")
    made = [admin.create(name=f"k{n}", workspace_id=lab.id if n == 1 else None) for n in range(4)]
    api_keys.create(actor=SYSTEM, organization=committed_people.umbrella, name="Umbrella's")
    admin.update(made[0]["id"], status="inactive")
    admin.update(made[2]["id"], status="archived")
    ApiKey.objects.filter(pk=made[3]["id"]).update(expires_at=timezone.now())

    def names(**filters: Any) -> list[str]:
        return [key.name for key in admin.sdk.list(limit=2, **filters)]

    assert names() == ["k3", "k2", "k1", "k0"]
    assert names(before_id=made[0]["id"]) == ["k2", "k1", "k3"]  # pages walk back, each in its order
    assert names(status="active") == ["k1"]
    assert names(status="inactive") == ["k0"]
    assert names(status="archived") == ["k2"]
    assert names(status="expired") == ["k3"]
    assert names(workspace_id=lab.id) == ["k1"]
    assert names(workspace_id=acme.workspaces.get(is_default=True).id) == ["k3", "k2", "k0"]
    assert names(status=None, workspace_id=None) == ["k3", "k2", "k1", "k0"]


def test_the_sdk_walks_pages_in_both_directions(admin: Admin) -> None:
    ids = [admin.create(name=f"k{number}")["id"] for number in range(5)][::-1]

    first = admin.sdk.list(limit=2)
    second = first.get_next_page()
    last = second.get_next_page()
    back = admin.sdk.list(limit=2, before_id=ids[4])

    assert [[key.id for key in page.data] for page in (first, second, last)] == [ids[:2], ids[2:4], ids[4:]]
    assert (first.first_id, first.last_id, first.has_more) == (ids[0], ids[1], True)
    assert (last.first_id, last.last_id, last.has_more) == (ids[4], ids[4], False)
    assert [key.id for key in back.data] == ids[2:4]
    assert back.has_more
    assert [key.id for key in back.get_next_page().data] == ids[:2]


def test_a_page_costs_three_queries_however_long_it_is(
    people: Cast, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    _, secret = admin_key(people.acme)
    for number in range(10):
        cap = api_keys.Cap(number, "daily")
        api_keys.create(actor=SYSTEM, organization=people.acme, name="k", spend_limit=cap)

    with django_assert_num_queries(3):  # the Admin key with its organization, the page, its spend limits
        answer = Client().get(f"{KEYS}?limit=10", headers={"x-api-key": secret})

    assert len(answer.json()["data"]) == 10


def test_admin_keys_do_not_exist_here(admin: Admin) -> None:
    key = ApiKey.objects.get(kind="admin")

    assert list(admin.sdk.list()) == []
    with pytest.raises(anthropic.NotFoundError, match="API key not found"):
        admin.sdk.update(key.id, status="archived")


def test_what_changes_is_told_old_and_new(admin: Admin) -> None:
    id = admin.create()["id"]

    changed = admin.update(
        id, name="Deploy", limits={"requests_per_minute": 7}, spend_limit={"amount": "5", "period": "weekly"}
    )
    cleared = admin.update(id, name=None, status=None, limits=None, spend_limit=None, allowed_ips=None)
    admin.update(id, name="Deploy")  # as it is: no line

    assert (changed["name"], changed["limits"]) == ("Deploy", {"requests_per_minute": 7})
    assert (cleared["name"], cleared["limits"], cleared["spend_limit"]) == ("Deploy", {}, None)
    lines = AuditEntry.objects.filter(action="api_key.changed").order_by("id")
    assert [line.details for line in lines] == [
        {
            "name": ["CI", "Deploy"],
            "limits": ["{}", "{'requests_per_minute': 7}"],
            "spend_limit": ["none", "5 cents weekly"],
        },
        {"limits": ["{'requests_per_minute': 7}", "{}"], "spend_limit": ["5 cents weekly", "none"]},
    ]
    assert not SpendLimit.objects.exists()


def test_a_key_is_limited_in_single_groups_of_models(admin: Admin, committed_people: Cast) -> None:
    for name in ("large", "unseen"):
        model_groups.upsert(actor=SYSTEM, name=name)
        models.upsert(actor=SYSTEM, name=f"{name}-model", routes=[RouteTo("simulator", name)], group=name)
    organizations.set_models(actor=SYSTEM, organization=committed_people.acme, denied=["unseen-model"])
    limits = {"large": {"requests_per_minute": 5, "tokens_per_day": None}}

    made = admin.create(group_limits=limits | {"batch": {}})
    changed = admin.update(made["id"], group_limits={"token_count": {"requests_per_minute": 1}})
    cleared = admin.update(made["id"], group_limits=None)

    assert made["group_limits"] == limits
    assert changed["group_limits"] == {"token_count": {"requests_per_minute": 1}}
    assert cleared["group_limits"] == {}
    status, told = admin.refused(name="CI", group_limits={"unseen": {"requests_per_minute": 1}})
    assert (status, "unseen" in told.partition("expected")[2]) == (400, False)
    assert told.startswith("group_limits.unseen: there is no model group 'unseen'")
    assert (
        AuditEntry.objects.get(target_id=made["id"], action="api_key.created").details["group_limits"]
        == limits
    )


def test_limits_of_a_group_that_is_not_to_be_had_any_more_can_be_kept(
    admin: Admin, committed_people: Cast
) -> None:
    model_groups.upsert(actor=SYSTEM, name="large")
    models.upsert(actor=SYSTEM, name="big", routes=[RouteTo("simulator", "big")], group="large")
    made = admin.create(group_limits={"large": {"requests_per_minute": 5}})
    organizations.set_models(actor=SYSTEM, organization=committed_people.acme, denied=["big"])

    kept = admin.update(made["id"], group_limits=made["group_limits"] | {"batch": {"tokens_per_day": 1}})

    assert kept["group_limits"] == made["group_limits"] | {"batch": {"tokens_per_day": 1}}


@pytest.mark.parametrize("status", ["inactive", "archived"])
def test_a_key_that_is_switched_off_stops_within_a_second(admin: Admin, status: str) -> None:
    made = admin.create()
    assert admin.call(made["key"]) == 200

    admin.sdk.update(made["id"], status=status)  # type: ignore[arg-type]
    admin.soon(401, made["key"])

    if status == "inactive":
        admin.sdk.update(made["id"], status="active")
        admin.soon(200, made["key"])
    else:
        assert admin.refused(f"/{made['id']}", status="active")[0] == 400


def test_after_a_rotation_both_secrets_work_until_the_overlap_ends(admin: Admin) -> None:
    made = admin.create()
    assert admin.call(made["key"]) == 200

    rotated = admin.http.post(f"{KEYS}/{made['id']}/rotate", json={"overlap_seconds": 2}).json()

    assert (rotated["id"], rotated["partial_key_hint"]) == (made["id"], credentials.hint(rotated["key"]))
    until = datetime.datetime.fromisoformat(rotated["previous_key_expires_at"])
    assert datetime.timedelta(0) < until - timezone.now() <= datetime.timedelta(seconds=2)
    assert (admin.call(made["key"]), admin.call(rotated["key"])) == (200, 200)
    time.sleep(max(0.0, (until - timezone.now()).total_seconds()) + 0.05)
    assert (admin.call(made["key"]), admin.call(rotated["key"])) == (401, 200)
    assert admin.http.get(f"{KEYS}/{made['id']}").json()["previous_key_expires_at"] is None


def test_a_rotation_without_overlap_or_a_second_one_ends_the_secret_before(admin: Admin) -> None:
    first = admin.create()
    path = f"{KEYS}/{first['id']}/rotate"

    second = admin.http.post(path, json={"overlap_seconds": 600}).json()
    assert (admin.call(first["key"]), admin.call(second["key"])) == (200, 200)
    third = admin.http.post(path).json()

    admin.soon(401, second["key"])
    admin.soon(401, first["key"])
    assert admin.call(third["key"]) == 200
    (_, last) = AuditEntry.objects.filter(action="api_key.rotated").order_by("id")
    assert last.details == {"overlap_seconds": 0}


def test_a_key_that_is_gone_is_not_rotated(admin: Admin) -> None:
    id = admin.create()["id"]
    ApiKey.objects.filter(pk=id).update(expires_at=timezone.now())
    assert admin.refused(f"/{id}/rotate") == (400, "An expired key cannot be rotated.")

    admin.update(id, status="archived")
    assert admin.refused(f"/{id}/rotate") == (400, "An archived key cannot be rotated.")


def test_a_key_is_used_from_its_networks_only(admin: Admin) -> None:
    made = admin.create(allowed_ips=["127.0.0.2", "10.0.0.0/8"])

    assert admin.call(made["key"], source="127.0.0.2") == 200
    assert admin.call(made["key"], source="127.0.0.3") == 403

    admin.update(made["id"], allowed_ips=["127.0.0.3"])
    admin.soon(200, made["key"], source="127.0.0.3")
    assert admin.call(made["key"], source="127.0.0.2") == 403


def test_a_keys_own_limits_models_and_expiry_hold(admin: Admin) -> None:
    soon = timezone.now() + datetime.timedelta(seconds=1.5)
    slow = admin.create(limits={"requests_per_minute": 1})
    choosy = admin.create(denied_models=["claude-opus-*"])
    brief = admin.create(expires_at=soon.isoformat())

    assert [admin.call(slow["key"]), admin.call(slow["key"])] == [200, 429]
    assert admin.call(choosy["key"], model="claude-opus-5-5") == 403
    assert admin.call(brief["key"]) == 200
    time.sleep(max(0.0, (soon - timezone.now()).total_seconds()) + 0.05)
    assert admin.call(brief["key"]) == 401
    assert admin.http.get(f"{KEYS}/{brief['id']}").json()["status"] == "expired"


def test_removing_a_member_stops_the_keys_that_act_for_them(admin: Admin, committed_people: Cast) -> None:
    eve = person("Eve", committed_people.acme, Membership.Role.DEVELOPER)
    made = admin.create(principal={"type": "user_actor", "user_id": eve.id})
    assert admin.call(made["key"]) == 200

    assert admin.http.delete(f"/v1/organizations/users/{eve.id}").status_code == 200

    admin.soon(401, made["key"])


WRONG: list[tuple[dict[str, object], str]] = [
    ({"name": ""}, "name: "),
    ({"name": None}, "name: "),
    ({"name": 7}, "name: "),
    ({"name": "n" * 501}, "name: "),
    ({"kind": "admin"}, "kind: Extra inputs are not permitted"),
    ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at: "),
    ({"expires_at": "soon"}, "expires_at: "),
    ({"scope": {"type": "planet"}}, "scope.type: "),
    ({"scope": {"type": "workspace"}}, "scope.workspace_id: Field required"),
    ({"scope": {"type": "organization"}, "workspace_id": "wrkspc_01x"}, "scope: "),
    ({"principal": {"type": "user_actor"}}, "principal.user_id: Field required"),
    ({"principal": {"type": "user_actor", "user_id": "a", "service_account_id": "b"}}, "principal.type: "),
    ({"allowed_models": ["no-such-model"]}, "allowed_models: "),
    ({"denied_models": "all"}, "denied_models: "),
    ({"allowed_ips": ["10.0.0.1/8"]}, "allowed_ips.0: "),
    ({"allowed_ips": ["localhost"]}, "allowed_ips.0: "),
    ({"allowed_ips": ["10.0.0.1"] * 101}, "allowed_ips: "),
    ({"limits": {"requests_per_minute": 0}}, "limits.requests_per_minute: "),
    ({"limits": {"lunch_breaks": 1}}, "limits.lunch_breaks: "),
    ({"group_limits": {"batch": {"lunch_breaks": 1}}}, "group_limits.batch.lunch_breaks: "),
    ({"group_limits": {"batch": {"tokens_per_day": True}}}, "group_limits.batch.tokens_per_day: "),
    ({"group_limits": {"batch": []}}, "group_limits.batch: "),
    (
        {"group_limits": {"huge": {}}},
        "group_limits.huge: there is no model group 'huge'; expected one of batch, ",
    ),
    ({"spend_limit": {"amount": 5, "period": "daily"}}, "spend_limit.amount: "),
    ({"spend_limit": {"amount": "-5", "period": "daily"}}, "spend_limit.amount: "),
    ({"spend_limit": {"amount": "5", "period": "hourly"}}, "spend_limit.period: "),
]


@pytest.mark.parametrize(("given", "message"), WRONG, ids=lambda value: str(value)[:40])
def test_a_wrong_value_is_named_and_makes_no_key(
    admin: Admin, given: dict[str, object], message: str
) -> None:
    status, told = admin.refused(**{"name": "CI"} | given)

    assert (status, told[: len(message)]) == (400, message)
    assert not ApiKey.objects.filter(kind="api").exists()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        *(row for row in WRONG if not row[0].keys() & {"name", "scope", "principal"}),
        ({"name": " "}, "name: "),
        ({"name": "n" * 10_000}, "name: "),
        ({"status": "expired"}, 'status: "expired" is not a valid value'),
        ({"status": ["active"]}, "status: "),
        ({"workspace_id": "wrkspc_01x"}, "workspace_id: Extra inputs are not permitted"),
        ({"limits": {"l" * 10_000: 1}}, "limits.llll"),
        ({"group_limits": {"l" * 10_000: {}}}, "group_limits.llll"),
        ({"allowed_ips": ["fe80::1%eth0"]}, "allowed_ips.0: "),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_wrong_value_is_named_and_changes_nothing(
    admin: Admin, given: dict[str, object], message: str
) -> None:
    made = admin.create()
    del made["key"]

    status, told = admin.refused(f"/{made['id']}", **{"name": "Other"} | given)

    assert (status, told[: len(message)]) == (400, message)
    assert len(told) < 500
    assert admin.http.get(f"{KEYS}/{made['id']}").json() == made
    assert not AuditEntry.objects.filter(action="api_key.changed").exists()


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("limit=0", "limit: "),
        ("limit=1001", "limit: "),
        ("limit=many", "limit: "),
        ("after_id={own}&before_id={own}", "before_id: Only one of after_id and before_id may be given"),
        ("after_id={foreign}", "after_id: no object of this list has the id"),
        ("before_id={admin}", "before_id: no object of this list has the id"),
        ("after_id=%00", "after_id: "),
        ("status=sleeping", "status: "),
        ("workspace_id=%00", "workspace_id: "),
        ("created_by_user_id={long}", "created_by_user_id: "),
    ],
)
def test_a_wrong_query_is_named(admin: Admin, committed_people: Cast, query: str, message: str) -> None:
    foreign, _ = api_keys.create(actor=SYSTEM, organization=committed_people.umbrella, name="Umbrella's")
    ids = {
        "own": admin.create()["id"],
        "foreign": foreign.id,
        "admin": ApiKey.objects.get(kind="admin").id,
        "long": "u" * 10_000,
    }

    answer = admin.http.get(f"{KEYS}?{query.format(**ids)}")

    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith(message)


def test_a_key_of_another_organization_reads_as_none_at_all(admin: Admin, committed_people: Cast) -> None:
    theirs, _ = api_keys.create(actor=SYSTEM, organization=committed_people.umbrella, name="Umbrella's")

    for id in (theirs.id, "apikey_01nothing", "a%00b"):
        path = f"{KEYS}/{id}"
        answers = [admin.http.get(path), admin.http.post(path, json={"status": "archived"})]
        told = [(answer.status_code, answer.json()["error"]["message"]) for answer in answers]
        assert told == [(404, "API key not found.")] * 2

    theirs_too = workspaces.create(actor=SYSTEM, organization=committed_people.umbrella, name="Lab")
    for filters in ({"workspace_id": theirs_too.id}, {"created_by_user_id": committed_people.mallory.id}):
        assert admin.http.get(KEYS, params=filters).json()["data"] == []
    assert ApiKey.objects.get(pk=theirs.id).status == "active"


def test_another_period_takes_the_place_of_the_one_before(admin: Admin) -> None:
    id = admin.create(spend_limit={"amount": "5", "period": "daily"})["id"]

    changed = admin.update(id, spend_limit={"amount": "900", "period": "monthly"})

    assert changed["spend_limit"] == {"amount": "900", "period": "monthly"}
    row = SpendLimit.objects.get(api_key=id)
    assert (row.amount, row.period) == (900, "monthly")
    admin.update(id, spend_limit={"amount": "900", "period": "monthly"})  # as it is: no line
    (line,) = AuditEntry.objects.filter(action="api_key.changed")
    assert line.details == {"spend_limit": ["5 cents daily", "900 cents monthly"]}


@pytest.mark.parametrize(
    "given",
    [
        {"workspace_id": "{workspace}"},
        {"scope": {"type": "workspace", "workspace_id": "{workspace}"}},
        {"principal": {"type": "user_actor", "user_id": "{user}"}},
        {"principal": {"type": "service_account_actor", "service_account_id": "{service_account}"}},
    ],
    ids=str,
)
def test_what_belongs_to_another_organization_does_not_exist(
    admin: Admin, committed_people: Cast, given: dict[str, Any]
) -> None:
    umbrella = committed_people.umbrella
    foreign = {
        "workspace": umbrella.workspaces.get().id,
        "user": committed_people.mallory.id,
        "service_account": ServiceAccount.objects.create(organization=umbrella, name="x").id,
    }
    absent = dict.fromkeys(foreign, "x_01nothing")

    answers = [admin.refused(name="CI", **_filled(given, ids)) for ids in (foreign, absent)]

    assert answers[0] == answers[1]
    assert answers[0][0] == 404


def _filled(value: Any, ids: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _filled(inner, ids) for name, inner in value.items()}
    return value.format(**ids)
