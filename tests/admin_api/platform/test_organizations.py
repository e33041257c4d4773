"""Organizations over the platform API."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import anthropic
import httpx
import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from admin_api.actions import api_keys, invites, organizations
from admin_api.actor import SYSTEM
from gateway.models import ApiKey, AuditEntry, Invite, OperatorKey, Organization, Tier, Workspace
from tests.admin_api.door import ME, Door, admin_key, refused
from tests.admin_api.platform.operator import (
    PLATFORM,
    operator_key,
    refusal,
    told,
    walked,
    walked_back,
)
from tests.people import Cast

LIST = "/organizations"
NOBODY = str(uuid.UUID(int=1))


def one(organization: Organization) -> str:
    return f"{LIST}/{organization.id}"


def lines() -> list[AuditEntry]:
    """What operator keys did."""
    return list(AuditEntry.objects.filter(actor_type="operator_key").order_by("id"))


def test_an_organization_is_shown_with_its_tier_and_what_counts_in_the_end(
    operator: httpx.Client, committed_people: Cast
) -> None:
    acme = committed_people.acme
    organizations.set_limits(actor=SYSTEM, organization=acme, limits={"concurrent_requests": 7})

    shown = told(operator.get(one(acme)))

    created_at = Organization.objects.get(pk=acme.pk).created_at.isoformat().replace("+00:00", "Z")
    assert shown == {
        "id": str(acme.id),
        "type": "organization",
        "name": "Acme",
        "tier": "pro",
        "limits": {"concurrent_requests": 7},
        "group_limits": {},
        "effective_limits": acme.tier.limits | {"concurrent_requests": 7},
        "allowed_models": [],
        "denied_models": [],
        "created_at": created_at,
        "suspended_at": None,
        "prepaid_since": None,
    }


def test_an_organization_is_made_with_all_it_may(operator: httpx.Client) -> None:
    body = {
        "name": " Initech ",
        "tier": "enterprise",
        "limits": {"requests_per_minute": 5, "tokens_per_minute": None},
        "allowed_models": ["claude-sonnet-*", "claude-haiku-4-5"],
        "denied_models": ["claude-sonnet-4-5"],
    }

    made = told(operator.post(LIST, json=body))

    assert (made["name"], made["tier"], made["invite_url"]) == ("Initech", "enterprise", None)
    assert made["limits"] == body["limits"]
    assert made["allowed_models"] == ["claude-haiku-4-5", "claude-sonnet-*"]
    assert made["denied_models"] == ["claude-sonnet-4-5"]
    row = Organization.objects.get(pk=made["id"])
    assert [workspace.is_default for workspace in row.workspaces.all()] == [True]
    (line,) = lines()
    key = OperatorKey.objects.get()
    assert (line.action, line.actor_id, line.target_id) == ("organization.created", key.id, made["id"])
    assert (line.organization_id, line.ip_address) == (row.id, "127.0.0.1")
    assert line.request_id.startswith("req_")


def test_a_name_is_enough(operator: httpx.Client) -> None:
    made = told(operator.post(LIST, json={"name": "Initech"}))

    assert (made["tier"], made["limits"], made["allowed_models"]) == ("basic", {}, [])


def test_the_first_admin_is_invited_by_a_link_that_is_shown_once(operator: httpx.Client, door: Door) -> None:
    made = told(operator.post(LIST, json={"name": "Initech", "admin_email": "Bill@Initech.example"}))

    invite = invites.find(made["invite_url"].rpartition("/")[2])
    assert invite is not None
    assert (invite.email, invite.role, str(invite.organization_id)) == (
        "bill@initech.example",
        "admin",
        made["id"],
    )
    assert "invite_url" not in told(operator.get(f"{LIST}/{made['id']}"))
    token = made["invite_url"].rpartition("/")[2]
    assert [line.action for line in lines()] == ["organization.created", "invite.created"]
    assert token not in str([line.details for line in lines()])


def test_an_address_that_cannot_be_invited_leaves_no_organization(operator: httpx.Client) -> None:
    message = refusal(operator.post(LIST, json={"name": "Initech", "admin_email": "nobody"}))

    assert message == "admin_email: Input should be a valid email address"
    assert not Organization.objects.filter(name="Initech").exists()
    assert not Invite.objects.exists()


def test_the_list_is_walked_in_both_directions(operator: httpx.Client, committed_people: Cast) -> None:
    tier = committed_people.acme.tier
    for name in ("A", "B", "C"):
        organizations.create(actor=SYSTEM, name=name, tier=tier)

    assert walked(operator, LIST, "name", limit=2) == [["C", "B"], ["A", "Umbrella"], ["Acme"]]
    acme = str(committed_people.acme.id)
    assert walked_back(operator, LIST, "name", acme, limit=3) == [["B", "A", "Umbrella"], ["C"]]


def test_the_list_is_filtered(operator: httpx.Client, committed_people: Cast) -> None:
    organizations.create(actor=SYSTEM, name="Acme_2", tier=Tier.objects.get(name="basic"))
    organizations.suspend(actor=SYSTEM, organization=committed_people.umbrella)

    def names(**query: str) -> list[str]:
        return [item["name"] for item in told(operator.get(LIST, params=query))["data"]]

    assert names(name="acme") == ["Acme_2", "Acme"]
    assert names(name="%") == [] and names(name="e_2") == ["Acme_2"]
    assert names(tier="pro") == ["Umbrella", "Acme"]
    assert names(suspended="true") == ["Umbrella"]
    assert names(suspended="false", tier="pro") == ["Acme"]
    assert len(names(suspended="", tier="", name="")) == 3


QUERIES: list[tuple[dict[str, str], str]] = [
    ({"limit": "0"}, "limit: Input should be greater than or equal to 1"),
    ({"limit": "1001"}, "limit: Input should be less than or equal to 1000"),
    ({"after_id": "nothing"}, "after_id: Input should be a valid UUID"),
    ({"before_id": "\x00"}, "before_id: Input should be a valid UUID"),
    ({"after_id": NOBODY}, f"after_id: no object of this list has the id {NOBODY!r}"),
    (
        {"after_id": NOBODY, "before_id": NOBODY},
        "before_id: Only one of after_id and before_id may be given",
    ),
    ({"name": "a\x00"}, "name: String should not contain NUL characters"),
    ({"name": "a" * 10_000}, "name: String should have at most 200 characters"),
    ({"tier": "gold"}, "tier: there is no tier 'gold'; expected one of basic, enterprise, pro"),
    ({"suspended": "perhaps"}, "suspended: Input should be a valid boolean"),
]


def test_a_wrong_query_is_refused_by_name(operator: httpx.Client) -> None:
    said = [refusal(operator.get(LIST, params=query)) for query, _ in QUERIES]

    assert said == [message for _, message in QUERIES]


BODIES: list[tuple[dict[str, object], str]] = [
    ({}, "name: Field required"),
    ({"name": " "}, "name: String should have at least 1 character"),
    ({"name": "a" * 10_000}, "name: String should have at most 200 characters"),
    ({"name": "Acme"}, "name: an organization named 'Acme' exists already"),
    ({"name": 7}, "name: Input should be a valid string"),
    ({"name": "N", "tier": "gold"}, "tier: there is no tier 'gold'; expected one of basic, enterprise, pro"),
    ({"name": "N", "tier": None}, "tier: Input should not be null"),
    ({"name": "N", "limits": []}, "limits: Input should be an object"),
    ({"name": "N", "limits": {"requests": 5}}, "limits.requests: Extra inputs are not permitted"),
    (
        {"name": "N", "limits": {"tokens_per_minute": 0}},
        "limits.tokens_per_minute: Input should be greater than or equal to 1",
    ),
    (
        {"name": "N", "limits": {"tokens_per_minute": 10**13}},
        "limits.tokens_per_minute: Input should be less than or equal to 1000000000000",
    ),
    (
        {"name": "N", "limits": {"tokens_per_minute": "many"}},
        "limits.tokens_per_minute: Input should be a valid integer",
    ),
    ({"name": "N", "allowed_models": "all"}, "allowed_models: Input should be a valid list"),
    (
        {"name": "N", "denied_models": ["gpt-nothing"]},
        "denied_models: no model has the name or alias 'gpt-nothing'",
    ),
    ({"name": "N", "suspended_at": None}, "suspended_at: Extra inputs are not permitted"),
]


def test_a_wrong_body_is_refused_by_name(operator: httpx.Client, committed_people: Cast) -> None:
    made = [refusal(operator.post(LIST, json=body)) for body, _ in BODIES]
    changed = [refusal(operator.post(one(committed_people.umbrella), json=body)) for body, _ in BODIES[1:]]

    assert made == [message for _, message in BODIES]
    assert changed == made[1:]
    assert Organization.objects.count() == 2
    assert Organization.objects.filter(name="Umbrella", tier__name="pro", limits={}).exists()
    assert lines() == []


def test_what_changes_leaves_a_line_each_and_nothing_else_does(
    operator: httpx.Client, committed_people: Cast
) -> None:
    acme = committed_people.acme
    body = {
        "name": "Acme Inc.",
        "tier": "enterprise",
        "limits": {"concurrent_requests": 3},
        "allowed_models": ["claude-*"],
    }

    changed, again = (told(operator.post(one(acme), json=body)) for _ in range(2))

    assert changed == again
    assert {name: changed[name] for name in body} == body
    assert [(line.action, line.organization_id) for line in lines()] == [
        ("organization.renamed", acme.id),
        ("organization.tier_set", acme.id),
        ("organization.limits_set", acme.id),
        ("organization.models_set", acme.id),
    ]
    assert told(operator.post(one(acme), json={})) == changed
    assert told(operator.post(one(acme), json={"limits": {}}))["limits"] == {}
    assert len(lines()) == 5


def test_null_is_none_for_limits_and_lists(operator: httpx.Client, committed_people: Cast) -> None:
    own = {
        "limits": {"concurrent_requests": 3},
        "allowed_models": ["claude-*"],
        "denied_models": ["claude-sonnet-4-5"],
    }
    told(operator.post(one(committed_people.acme), json=own))

    changed = told(operator.post(one(committed_people.acme), json=dict.fromkeys(own)))
    made = told(operator.post(LIST, json={"name": "Initech", **dict.fromkeys(own)}))

    none = {"limits": {}, "allowed_models": [], "denied_models": []}
    assert [{name: answer[name] for name in own} for answer in (changed, made)] == [none, none]


def test_a_change_is_made_as_a_whole_or_not_at_all(operator: httpx.Client, committed_people: Cast) -> None:
    body = {"name": "Acme Inc.", "tier": "basic", "allowed_models": ["gpt-nothing"]}

    assert refusal(operator.post(one(committed_people.acme), json=body)).startswith("allowed_models: ")

    acme = Organization.objects.get(pk=committed_people.acme.pk)
    assert (acme.name, acme.tier.name) == ("Acme", "pro")
    assert lines() == []


def test_a_suspended_organization_stops_and_a_resumed_one_goes_on(
    operator: httpx.Client, door: Door, committed_people: Cast
) -> None:
    acme = committed_people.acme
    _, admin = admin_key(acme)
    ada = door.signed_in(committed_people.ada)
    assert (door.ask(key=admin).status, ada.get(ME).status_code) == (200, 200)

    first, second = (told(operator.post(f"{one(acme)}/suspend")) for _ in range(2))

    assert first == second and first["suspended_at"] is not None
    said = refused(door.ask(key=admin), 403, "permission_error")
    assert said == "This organization has been suspended."
    assert ada.get(ME).status_code == 403
    resumed = [told(operator.post(f"{one(acme)}/resume", json={})) for _ in range(2)]
    assert [answer["suspended_at"] for answer in resumed] == [None, None]
    assert (door.ask(key=admin).status, ada.get(ME).status_code) == (200, 200)
    assert [line.action for line in lines()] == ["organization.suspended", "organization.resumed"]


@pytest.mark.parametrize("way", ["", "/suspend", "/resume", "/admin_keys", "/admin_keys/apikey_01/revoke"])
def test_an_organization_that_does_not_exist_is_not_found(operator: httpx.Client, way: str) -> None:
    body = {"name": "x"} if way in ("", "/admin_keys") else {}

    for id in (NOBODY, "acme", "a%00b", "a" * 5000):
        message = refusal(operator.post(f"{LIST}/{id}{way}", json=body), 404, "not_found_error")

        assert message == "Organization not found."


def test_an_admin_key_is_handed_over_and_revoked(
    operator: httpx.Client, door: Door, committed_people: Cast
) -> None:
    keys = f"{one(committed_people.acme)}/admin_keys"

    made = told(operator.post(keys, json={"name": "For Ada"}))

    secret = made.pop("key")
    assert (made["type"], made["name"], made["status"]) == ("admin_key", "For Ada", "active")
    assert door.sdk(secret).organization.retrieve().name == "Acme"
    assert told(operator.get(keys))["data"] == [made]
    assert secret not in operator.get(keys).text
    revoked = told(operator.post(f"{keys}/{made['id']}/revoke"))
    assert revoked == made | {"status": "archived"}
    assert told(operator.post(f"{keys}/{made['id']}/revoke", json={})) == revoked
    with pytest.raises(anthropic.AuthenticationError):
        door.sdk(secret).organization.retrieve()
    assert [line.action for line in lines()] == ["api_key.created", "api_key.changed"]
    assert secret[20:] not in str([line.details for line in lines()])


def test_only_admin_keys_of_this_organization_are_seen(
    operator: httpx.Client, committed_people: Cast
) -> None:
    acme, umbrella = committed_people.acme, committed_people.umbrella
    api_key, _ = api_keys.create(actor=SYSTEM, organization=acme, name="test")
    foreign, _ = admin_key(umbrella)
    mine = [admin_key(acme)[0].id for _ in range(3)][::-1]
    keys = f"{one(acme)}/admin_keys"

    assert walked(operator, keys, "id", limit=2) == [mine[:2], mine[2:]]
    assert walked_back(operator, keys, "id", mine[2], limit=1) == [[mine[1]], [mine[0]]]
    for id in (api_key.id, foreign.id, "apikey_01", "a%00"):
        message = refusal(operator.post(f"{keys}/{id}/revoke"), 404, "not_found_error")
        assert message == "Admin key not found."
    for id in (api_key.id, foreign.id, "apikey_01"):
        assert refusal(operator.get(keys, params={"after_id": id})).startswith("after_id: ")
    assert set(ApiKey.objects.values_list("status", flat=True)) == {"active"}


def test_a_wrong_admin_key_is_refused_by_name(operator: httpx.Client, committed_people: Cast) -> None:
    wrong: dict[str, dict[str, object]] = {
        "name: Field required": {},
        "name: String should have at most 500 characters": {"name": "a" * 501},
        "kind: Extra inputs are not permitted": {"name": "a", "kind": "api"},
    }
    keys = f"{one(committed_people.acme)}/admin_keys"

    assert [refusal(operator.post(keys, json=body)) for body in wrong.values()] == list(wrong)
    assert not ApiKey.objects.exists()


def test_of_many_who_want_one_name_at_once_one_gets_it(operator: httpx.Client) -> None:
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: operator.post(LIST, json={"name": "Initech"}), range(8)))

    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 7
    assert Workspace.objects.filter(organization__name="Initech").count() == 1


def test_a_page_costs_as_many_queries_however_long_it_is(
    people: Cast, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    headers = {"x-api-key": operator_key()[1]}
    for number in range(10):
        organizations.create(actor=SYSTEM, name=f"O{number}", tier=people.acme.tier)
        admin_key(people.acme)

    with django_assert_num_queries(2):  # the key, the page
        page = Client().get(f"{PLATFORM}{LIST}?limit=10", headers=headers).json()
    with django_assert_num_queries(3):  # the key, the organization, the page
        keys = Client().get(f"{PLATFORM}{one(people.acme)}/admin_keys?limit=10", headers=headers).json()

    assert (len(page["data"]), page["has_more"], len(keys["data"])) == (10, True, 10)
